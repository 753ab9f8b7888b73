"""devloop: save a file, and know that Kubernetes runs it."""

__version__ = "0.1.0"
