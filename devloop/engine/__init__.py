"""The conductor, its cycles and the event log; imports core only."""
