"""`devloop init`: reads the project and the cluster, proposes a configuration, and writes it."""
