"""A node's container runtime: pulls images over HTTP, unpacks their layers, runs their commands as processes."""
