"""devloop against a real cluster."""
