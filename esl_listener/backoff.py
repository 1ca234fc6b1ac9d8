"""How long to wait before trying again: exponential with full jitter, as pure values."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The n-th wait is random between half and all of first_s doubled n times, never above longest_s (seconds)."""

    first_s: float = 0.25
    longest_s: float = 15.0

    def wait_s(self, attempt: int, chance: float | None = None) -> float:
        """Give the wait before attempt number `attempt` (0 is the first); `chance` in [0, 1) replaces the dice."""
        full = min(self.longest_s, self.first_s * 2 ** min(attempt, 30))
        # Jitter keeps sixteen listeners from knocking on a restarted switch in step.
        spread = random.random() if chance is None else chance  # noqa: S311 - no secret
        return full * (0.5 + spread / 2)
