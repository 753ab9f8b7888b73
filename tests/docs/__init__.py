"""The documents are true: their examples are read, checked, and run."""
