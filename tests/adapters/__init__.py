"""The adapters against real parts."""
