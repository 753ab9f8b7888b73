"""A fixed time zone, because the plain output tells local time."""

import time
from collections.abc import Iterator

import pytest

from tests.headless.sessions import TIME_ZONE


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone of the `.txt` files."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", TIME_ZONE)
        time.tzset()
        yield
    time.tzset()
