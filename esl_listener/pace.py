"""How long the reader and the writer wait for more before they do what is there. Pure functions.

Waking costs more than an event, and a small batch as much as 30 legs of a large one. So when it is quiet they wait, and
nobody notices; when it is busy they do not, and what gathers meanwhile is enough.
"""

from typing import Final

#: After events the reader waits until about so many bytes have come, some eight events, and no longer than this.
GATHER_BYTES: Final = 64 * 1024
LONGEST_PAUSE_S: Final = 0.1

#: While fewer legs a second come, some 170 calls, the writer waits for so many, and no longer than this.
QUIET_LEGS_PER_S: Final = 1_000.0
ENOUGH_LEGS: Final = 32
LONGEST_LINGER_S: Final = 0.15


def pause_s(size: int, took_s: float) -> float:
    """Return how many seconds the reader waits after `size` bytes of events that took so many seconds to come.

    0 when they were many: then the switch has more for us already.
    """
    return 0.0 if size >= GATHER_BYTES else _wait_s(GATHER_BYTES, size, took_s, LONGEST_PAUSE_S)


def linger_s(legs: int, took_s: float) -> float:
    """Return how many seconds the writer waits for the next batch when so many legs took so many seconds to come."""
    if legs >= QUIET_LEGS_PER_S * took_s:
        return 0.0
    return _wait_s(ENOUGH_LEGS, legs, took_s, LONGEST_LINGER_S)


def _wait_s(wanted: int, came: int, took_s: float, longest_s: float) -> float:
    """Return how long `wanted` take to come at the rate of what came; no longer than `longest_s`."""
    return min(wanted * took_s / came, longest_s) if came else longest_s
