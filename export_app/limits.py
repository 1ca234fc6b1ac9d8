"""How many requests a key may make a minute, and how many attempts without a key that works an address.

Counted in memory, so in one process: `export_app.server` runs one worker. By `limits`, the engine of Flask-Limiter,
which itself decides before it is known whose request it is.
"""

import time
from math import ceil
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from export_app.address import Address
from export_app.refusal import Refusal

ATTEMPTS_PER_MINUTE: Final = 30


class Limits:
    """Counts requests; what is counted is forgotten after its minute."""

    def __init__(self, requests_per_minute: int) -> None:
        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(requests_per_minute)
        self._attempts = RateLimitItemPerMinute(ATTEMPTS_PER_MINUTE)

    def count_request(self, key_id: int) -> None:
        """Count a request of a key; raises Refusal when it was one too many."""
        if not self._windows.hit(self._requests, "key", str(key_id)):
            seconds = self._seconds_left(self._requests, "key", str(key_id))
            raise _too_many(
                f"this key may make {self._requests.amount} requests a minute: wait {seconds} seconds, and ask for"
                " larger pages (limit) rather than for more of them",
                seconds,
            )

    def count_attempt(self, client: Address | None) -> None:
        """Count a request without a key that works; raises Refusal when it was one too many from its address.

        A key that works is not held up by such attempts: others may be behind the same address.
        """
        if not self._windows.hit(self._attempts, "address", str(client)):
            seconds = self._seconds_left(self._attempts, "address", str(client))
            raise _too_many(
                f"too many requests without a key that works: wait {seconds} seconds, and check the key", seconds
            )

    def _seconds_left(self, item: RateLimitItemPerMinute, *whose: str) -> int:
        return max(1, ceil(self._windows.get_window_stats(item, *whose).reset_time - time.time()))


def _too_many(message: str, seconds: int) -> Refusal:
    return Refusal(429, "too_many_requests", message, {"Retry-After": str(seconds)})
