"""Which of the legs that are held open are gone, told from what one look after another found; pure, no clock."""

from dataclasses import dataclass

from esl_listener.channels import Seen
from tollbook.model.leg import Leg, lost
from tollbook.store.calls.switch_processes import Held

# The list lags 200 ms behind the channels, and a leg can be between two states: one denial proves nothing.
DENIED_TWICE_AFTER_S = 60.0

Key = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A leg with its estimated end, and why it has one."""

    leg: Leg
    why: str


class Denials:
    """Remembers when each leg was first denied, and when the switch last said that it had it."""

    def __init__(self) -> None:
        self._first_denied_s: dict[Key, float] = {}
        self._alive_us: dict[Key, int] = {}

    @property
    def waiting(self) -> bool:
        """Tell whether a leg was denied once and is to be asked about again."""
        return bool(self._first_denied_s)

    def judge(self, seen: Seen, *, core: str, now_s: float, switch_us: int) -> list[Gone]:
        """End what a look at `now_s` shows to be gone, each at its last sign of life.

        `core`: the Core-UUID of the switch's present process, '' when it has not said; `switch_us`: the switch's
        clock (epoch µs) when it was last heard.
        """
        gone = [self._gone(one, core, "its id is another leg's now") for one in seen.replaced]
        first_denied_s = {one.leg.key: self._first_denied_s.get(one.leg.key, now_s) for one in seen.denied}
        for one in seen.denied:
            # The switch has restarted when it denies a leg of another process: nobody will hang that up any more.
            # A leg of its own is denied twice, a minute apart, before it is given up.
            if _restarted(one, core) or now_s - first_denied_s[one.leg.key] >= DENIED_TWICE_AFTER_S:
                del first_denied_s[one.leg.key]
                gone.append(self._gone(one, core, "a leg is gone without an end"))
        self._first_denied_s = first_denied_s
        still_denied = {key: us for key, us in self._alive_us.items() if key in first_denied_s}
        self._alive_us = {one.leg.key: switch_us for one in seen.alive} | still_denied
        return gone

    def _gone(self, one: Held, core: str, why: str) -> Gone:
        if _restarted(one, core):
            return Gone(leg=lost(one.leg, one.seen_us), why="the switch restarted, a leg is lost")
        return Gone(leg=lost(one.leg, self._alive_us.get(one.leg.key, 0)), why=why)


def _restarted(one: Held, core: str) -> bool:
    return core not in ("", one.leg.core)
