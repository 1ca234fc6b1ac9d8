"""When a delivery is tried again, and when it is given up. Pure."""

from typing import Final

from tollbook.backoff import Backoff
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR

#: A delivery that fails is tried for so long, and an endpoint that takes nothing for so long is switched off.
GIVE_UP_S: Final = 3 * SECONDS_PER_DAY

# About 4 s, 8 s, … 4 h: some 25 tries in three days.
_DELIVERY: Final = Backoff(first_s=5.0, longest_s=4 * SECONDS_PER_HOUR)

#: Failures in a row after which an endpoint is left alone for a while: until then one bad event may be the cause.
PAUSE_AFTER: Final = 5
# A receiver that is back hears from us within ten minutes, however long it was away.
_ENDPOINT: Final = Backoff(first_s=5.0, longest_s=600.0)


def delivery_wait_s(attempts: int, failed_for_s: float, chance: float | None = None) -> float | None:
    """Return how long to wait after `attempts` tries failed, the first of them `failed_for_s` ago; None: give up.

    `chance` in [0, 1) replaces the dice.
    """
    if failed_for_s >= GIVE_UP_S:
        return None
    # The last try is when the time is over, not long before.
    return min(_DELIVERY.wait_s(max(attempts - 1, 0), chance), max(GIVE_UP_S - failed_for_s, 1.0))


def endpoint_pause_s(failures: int, chance: float | None = None) -> float:
    """Return for how long nothing is sent to an endpoint after so many failures in a row; 0: go on."""
    return 0.0 if failures < PAUSE_AFTER else _ENDPOINT.wait_s(failures - PAUSE_AFTER, chance)
