"""What `devloop init` decides: which Dockerfile belongs to which workload, which image to push, and what to write."""
