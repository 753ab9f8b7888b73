"""Decisions over frozen data: no I/O, no clock, no asyncio, no SDK."""
