"""Tests of `devloop.core.init`."""
