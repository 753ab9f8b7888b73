"""Trouble, with real parts: each scenario breaks one thing under a session and says what has to be true afterwards."""
