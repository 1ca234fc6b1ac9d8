"""How long the reader and the writer wait for more before they do what is there. Pure.

Waking costs more than an event, and a small batch as much as 30 legs of a large one. So when it is quiet they wait, and
nobody notices; when it is busy they do not, and what gathers meanwhile is enough.
"""

import math
from typing import Final

#: What comes is counted over the last second or so.
OF_LATE_S: Final = 1.0

#: While fewer bytes a second come, some 170 calls, the reader waits after events until about so many have come, some
#: eight events, and no longer than this.
QUIET_BYTES_PER_S: Final = 8_000_000.0
GATHER_BYTES: Final = 64 * 1024
LONGEST_PAUSE_S: Final = 0.1

#: While fewer legs a second come, some 170 calls, the writer waits for so many, and no longer than this.
QUIET_LEGS_PER_S: Final = 1_000.0
ENOUGH_LEGS: Final = 32
LONGEST_LINGER_S: Final = 0.15


class Rate:
    """How much comes a second, of late: what came OF_LATE_S ago counts a third of what comes now.

    Over one read or batch alone it would say little: after a lull of a few milliseconds, which every busy second has,
    one event would look like a quiet hour, and be waited for accordingly.
    """

    def __init__(self) -> None:
        self.per_s = 0.0

    def add(self, amount: float, took_s: float) -> None:
        """Take in what came within so many seconds."""
        kept = math.exp(-took_s / OF_LATE_S)
        share = (1 - kept) / took_s if took_s > 0 else 1 / OF_LATE_S
        self.per_s = self.per_s * kept + amount * share


def pause_s(size: int, bytes_per_s: float) -> float:
    """Return how many seconds the reader waits after it has read `size` bytes of events.

    0 when they were many: then the switch has more for us already. And when it is busy: then rows shall come at once.
    """
    if size >= GATHER_BYTES or bytes_per_s >= QUIET_BYTES_PER_S:
        return 0.0
    return _wait_s(GATHER_BYTES, bytes_per_s, LONGEST_PAUSE_S)


def linger_s(legs: int, legs_per_s: float) -> float:
    """Return how many seconds the writer waits for the next batch, of which so many legs are there, for more."""
    if legs >= ENOUGH_LEGS or legs_per_s >= QUIET_LEGS_PER_S:
        return 0.0
    return _wait_s(ENOUGH_LEGS, legs_per_s, LONGEST_LINGER_S)


def _wait_s(wanted: int, per_s: float, longest_s: float) -> float:
    """Return how long `wanted` take to come; no longer than `longest_s`."""
    return min(wanted / per_s, longest_s) if per_s else longest_s
