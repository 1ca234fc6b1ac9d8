"""How long somebody was on hold in a call."""

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision

HoldRule: TypeAlias = Literal["legs on hold", "no leg on hold", "not answered", "a leg does not say", "unreadable"]
_Hold: TypeAlias = Decision[int | None, HoldRule]

_NO_HOLD: Final[_Hold] = Decision(0, "no leg on hold")
_NOT_ANSWERED: Final[_Hold] = Decision(None, "not answered")
_UNSAID: Final[_Hold] = Decision(None, "a leg does not say")

_HOLDS: Final = re.compile(r"\{(?:\{\d{1,16},\d{0,16}\},?)*\}", re.ASCII)
_HOLD: Final = re.compile(r"\{(\d+),(\d*)\}", re.ASCII)


def decide_hold(legs: Sequence[CallLeg], *, answered: bool) -> _Hold:
    """Decide hold_ms: the time for which at least one party held. A hold is noted on the leg of who holds."""
    if not answered:
        return _NOT_ANSWERED
    holds: list[tuple[int, int]] = []
    holding: list[CallLeg] = []
    for leg in legs:
        details = leg.outcome.details
        if details is None:
            if leg.answered_us:
                return _UNSAID
        elif details.hold_events:
            found = holds_in(details.hold_events, leg.began_us, leg.outcome.hangup_us)
            if found is None:
                return Decision(None, "unreadable", (leg,))
            holds += found
            holding.append(leg)
    return Decision(_union_us(holds) // 1000, "legs on hold", tuple(holding)) if holds else _NO_HOLD


def holds_in(text: str, began_us: int, hangup_us: int) -> list[tuple[int, int]] | None:
    """Return the intervals in hold_events, `{{on,off},{on,off}}`, epoch µs; None when that is not what it holds.

    A hold that was never ended, with 0 or nothing as its end, lasted until the hangup. None is outside the leg's life.
    """
    if _HOLDS.fullmatch(text) is None:
        return None
    return [(max(int(on), began_us), min(int(off or 0) or hangup_us, hangup_us)) for on, off in _HOLD.findall(text)]


def _union_us(intervals: Sequence[tuple[int, int]]) -> int:
    total_us = until_us = 0
    for on_us, off_us in sorted(intervals):
        total_us += max(0, off_us - max(on_us, until_us))
        until_us = max(until_us, off_us)
    return total_us
