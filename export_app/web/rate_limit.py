"""The rate limit: requests per minute of a key, and attempts without a valid key per minute of a client's address.

The counters are in memory, so they hold for one process: `export_app.server.process` runs one. Flask-Limiter's
in-memory storage starts a thread for nearly every request (0.9 ms each, measured).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Final

from export_app.web.client_address import Address, client_group
from export_app.web.errors import ApiError

ATTEMPTS_PER_MINUTE: Final = 30
# Addresses counted one by one in a minute, some 20 MB. All others share one count until it ends.
MAX_ADDRESSES: Final = 100_000
_ALL_OTHERS: Final = "all others"
_MINUTE_S: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """How many requests a key may make in a minute, how many are left, and the `seconds` until the next."""

    most: int
    left: int
    seconds: int

    def headers(self) -> dict[str, str]:
        """Return the headers that say so, as draft-ietf-httpapi-ratelimit-headers has them."""
        return {
            "RateLimit-Policy": f'"key";q={self.most};w={_MINUTE_S}',
            "RateLimit": f'"key";r={self.left};t={self.seconds}',
        }


class RateLimit:
    """Counts requests in fixed minutes of `clock`, which returns seconds. The counters restart with each minute."""

    def __init__(self, requests_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests_per_minute = requests_per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._requests: Counter[bytes] = Counter()
        self._attempts: Counter[str] = Counter()

    def count_request(self, key_hash: bytes) -> Allowance:
        """Count a request of a valid key, and return what is left; raises ApiError when it is over the limit."""
        with self._lock:
            seconds = self._seconds_left()
            self._requests[key_hash] += 1
            left = self._requests_per_minute - self._requests[key_hash]
        allowance = Allowance(most=self._requests_per_minute, left=max(0, left), seconds=seconds)
        if left < 0:
            raise _too_many(
                f"this key may make {self._requests_per_minute} requests a minute: wait {seconds} seconds, and ask for"
                " larger pages (limit) rather than for more pages",
                seconds,
                allowance.headers(),
            )
        return allowance

    def count_attempt(self, client: Address | None) -> None:
        """Count a request without a valid key."""
        with self._lock:
            self._seconds_left()
            self._attempts[self._counted(client)] += 1

    def check_attempts(self, client: Address | None) -> None:
        """Raise ApiError when an address has made as many attempts as it may."""
        with self._lock:
            seconds = self._seconds_left()
            over = self._attempts[self._counted(client)] >= ATTEMPTS_PER_MINUTE
        if over:
            raise _too_many(
                f"too many requests without a valid key: wait {seconds} seconds, and check the key", seconds
            )

    def _counted(self, client: Address | None) -> str:
        group = client_group(client)
        return group if group in self._attempts or len(self._attempts) < MAX_ADDRESSES else _ALL_OTHERS

    def _seconds_left(self) -> int:
        """Return the seconds until the next minute; begin it, if it has come."""
        now = self._clock()
        minute = int(now // _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._requests.clear()
            self._attempts.clear()
        return ceil((minute + 1) * _MINUTE_S - now)


def _too_many(message: str, seconds: int, headers: Mapping[str, str] = MappingProxyType({})) -> ApiError:
    return ApiError(429, "too_many_requests", message, {"Retry-After": str(seconds), **headers})
