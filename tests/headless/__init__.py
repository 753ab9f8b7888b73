"""The headless renderers and their contract."""
