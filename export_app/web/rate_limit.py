"""How many requests a key may make a minute, and how many attempts without a key that works an address.

Counted in memory, so in one process: `export_app.server.process` runs one worker. Flask-Limiter would decide before
it is known whose request it is, and its storage in memory starts a thread for nearly every request (0.9 ms each,
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
    """Counts the requests of each minute by `clock`, which gives seconds. What a minute counted ends with it."""

    def __init__(self, requests_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests_per_minute = requests_per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._counted: Counter[Hashable] = Counter()

    def count_request(self, key_id: int) -> None:
        """Count a request of a key; raises ApiError when it was one too many."""
        seconds = self._count(("key", key_id), self._requests_per_minute)
        if seconds:
            raise _too_many(
                f"this key may make {self._requests_per_minute} requests a minute: wait {seconds} seconds, and ask for"
                " larger pages (limit) rather than for more of them",
                seconds,
            )

    def count_attempt(self, client: Address | None) -> None:
        """Count a request without a key that works; raises ApiError when it was one too many from its address.

        A key that works is not held up by such attempts: others may be behind the same address.
        """
        seconds = self._count(("address", client), ATTEMPTS_PER_MINUTE)
        if seconds:
            raise _too_many(
                f"too many requests without a key that works: wait {seconds} seconds, and check the key", seconds
            )

    def _count(self, whose: Hashable, most: int) -> int:
        """Count one; give 0, or the seconds until the next minute when it was one too many."""
        now = self._clock()
        with self._lock:
            minute = int(now // _MINUTE_S)
            if minute != self._minute:
                self._minute = minute
                self._counted.clear()
            self._counted[whose] += 1
            return 0 if self._counted[whose] <= most else ceil((minute + 1) * _MINUTE_S - now)


def _too_many(message: str, seconds: int) -> ApiError:
    return ApiError(429, "too_many_requests", message, {"Retry-After": str(seconds)})
