"""Decisions, in tables."""
