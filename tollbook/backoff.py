"""How long to wait before trying again: exponential, with jitter. Pure."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The wait before attempt n is random between half and all of first_s · 2ⁿ, and never above longest_s (seconds)."""

    first_s: float = 0.25
    longest_s: float = 15.0

    def wait_s(self, attempt: int, chance: float | None = None) -> float:
        """Return the wait before attempt number `attempt` (0 is the first); `chance` in [0, 1) replaces the dice."""
        full = min(self.longest_s, self.first_s * 2 ** min(attempt, 30))
        # Jitter, so that sixteen listeners do not all reconnect to a restarted switch at once.
        spread = random.random() if chance is None else chance  # noqa: S311 - no secret
        return full * (0.5 + spread / 2)
