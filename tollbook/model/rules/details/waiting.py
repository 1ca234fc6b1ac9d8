"""How long a caller waited in a queue."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.notes import Notes
from tollbook.model.rules.decision import Decision
from tollbook.times import US_PER_SECOND

WaitRule: TypeAlias = Literal[
    "until an agent was connected",
    "until the queue was left",
    "by the switch's seconds",
    "no queue",
    "no end of the wait",
]
_Wait: TypeAlias = Decision[int | None, WaitRule]
#: What was noted about each leg of a call.
NotedLegs: TypeAlias = Sequence[tuple[CallLeg, Notes]]

_NO_QUEUE: Final[_Wait] = Decision(None, "no queue")
_NO_END: Final[_Wait] = Decision(None, "no end of the wait")


def decide_wait(root: CallLeg, legs: Sequence[CallLeg], noted: NotedLegs) -> _Wait:
    """Decide wait_ms: of several visits of a queue that which an agent ended last, else the last one."""
    if not noted:  # nearly every call
        return _by_seconds(legs) or _NO_QUEUE
    unfinished = _NO_END if any(_of_queue(notes) for _, notes in noted) else _NO_QUEUE
    return _noted_wait(root, noted) or _by_seconds(legs) or unfinished


def _of_queue(notes: Notes) -> bool:
    return bool(notes.joined_us or notes.left_us)


def _noted_wait(root: CallLeg, noted: NotedLegs) -> _Wait | None:
    joined = [(joined_us, leg) for leg, notes in noted for joined_us in notes.joined_us]
    bridged = [(bridged_us, leg) for leg, notes in noted for bridged_us in notes.bridged_us]
    if bridged:
        bridged_us, agent = max(bridged, key=_time)
        before = [visit for visit in joined if visit[0] <= bridged_us]
        if not before:
            return None
        joined_us, member = max(before, key=_time)
        legs = (member,) if agent is member else (member, agent)
        return Decision((bridged_us - joined_us) // 1000, "until an agent was connected", legs)
    if not joined:
        return None
    joined_us, member = max(joined, key=_time)
    left = [left_us for _, notes in noted for left_us in notes.left_us if left_us >= joined_us]
    if _seconds_say_more(member, root, heard_end=bool(left)):
        return None
    if not left and root.estimated:
        return _NO_END
    # The queue notices a hangup only at its next look, a tenth of a second later.
    left_us = max(joined_us, min(*left, root.outcome.hangup_us) if left else root.outcome.hangup_us)
    return Decision((left_us - joined_us) // 1000, "until the queue was left", (member,))


def _seconds_say_more(member: CallLeg, root: CallLeg, *, heard_end: bool) -> bool:
    """Whether the switch's seconds say what no event said: that an agent was connected, or the queue left before."""
    details = member.outcome.details
    if details is None or not details.cc_joined_s:
        return False
    if details.cc_answered_s >= details.cc_joined_s:
        return True
    left_before = root.outcome.hangup_us >= (details.cc_canceled_s + 1) * US_PER_SECOND
    return not heard_end and details.cc_canceled_s >= details.cc_joined_s and left_before


def _time(noted: tuple[int, CallLeg]) -> int:
    return noted[0]


def _by_seconds(legs: Sequence[CallLeg]) -> _Wait | None:
    """Decide by the epoch seconds that the member's leg has at its end: those of its last visit."""
    for leg in legs:
        details = leg.outcome.details
        # An agent's leg carries the seconds of the caller whom it serves.
        if details is not None and details.cc_joined_s and leg.outcome.cc_side != "agent":
            joined_s = details.cc_joined_s
            left_s = details.cc_answered_s if details.cc_answered_s >= joined_s else details.cc_canceled_s
            if left_s < joined_s:
                return _NO_END
            return Decision((left_s - joined_s) * 1000, "by the switch's seconds", (leg,))
    return None
