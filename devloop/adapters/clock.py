"""The wall clock."""

import time


class SystemClock:
    """Unix seconds as the operating system tells them."""

    def now(self) -> float:
        return time.time()
