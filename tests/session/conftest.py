"""Fixtures that these tests share with others."""

from tests.headless.conftest import kolkata

__all__ = ["kolkata"]
