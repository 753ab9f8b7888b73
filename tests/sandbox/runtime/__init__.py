"""The runtime of the nodes, with real processes and a real registry."""
