"""The rate limit: requests per minute of a key, and attempts without a valid key per minute of an address.

The counters are in memory, so they hold for one process: `export_app.server.process` runs one worker. Flask-Limiter
would decide before the key is known, and its in-memory storage starts a thread for nearly every request (0.9 ms each,
measured).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from math import ceil
from typing import Final

from export_app.web.client_address import Address
from export_app.web.errors import ApiError

ATTEMPTS_PER_MINUTE: Final = 30
_MINUTE_S: Final = 60


class RateLimit:
    """Counts requests in fixed minutes of `clock`, which returns seconds. The counters restart with each minute."""

    def __init__(self, requests_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests_per_minute = requests_per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[Hashable] = Counter()

    def count_request(self, key_id: int) -> None:
        """Count a request of a key; raises ApiError when it is over the limit."""
        seconds = self._count(("key", key_id), self._requests_per_minute)
        if seconds:
            raise _too_many(
                f"this key may make {self._requests_per_minute} requests a minute: wait {seconds} seconds, and ask for"
                " larger pages (limit) rather than for more pages",
                seconds,
            )

    def count_attempt(self, client: Address | None) -> None:
        """Count a request without a valid key; raises ApiError when its address is over the limit.

        A valid key still works from such an address: several clients may share it.
        """
        seconds = self._count(("address", client), ATTEMPTS_PER_MINUTE)
        if seconds:
            raise _too_many(
                f"too many requests without a valid key: wait {seconds} seconds, and check the key", seconds
            )

    def _count(self, counter: Hashable, limit: int) -> int:
        """Count one request; return 0, or the seconds until the next minute when that is over the limit."""
        now = self._clock()
        with self._lock:
            minute = int(now // _MINUTE_S)
            if minute != self._minute:
                self._minute = minute
                self._counts.clear()
            self._counts[counter] += 1
            return 0 if self._counts[counter] <= limit else ceil((minute + 1) * _MINUTE_S - now)


def _too_many(message: str, seconds: int) -> ApiError:
    return ApiError(429, "too_many_requests", message, {"Retry-After": str(seconds)})
