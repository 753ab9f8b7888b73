"""The registry of the sandbox, over real HTTP."""
