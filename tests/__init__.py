"""The tests of devloop."""
