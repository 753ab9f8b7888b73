"""The composition root: configuration, adapters, conductor and renderer of one command, put together."""
