"""Renderers for scripts and plain terminals: NDJSON and text."""
