"""What only the end of a call decides: when it ended, the seconds billed, and what became of it."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.causes import is_telling, unanswered_disposition
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.queue import AgentRule
from tollbook.model.vocabulary import Direction, Disposition

BilledUntilRule: TypeAlias = Literal["root hung up", "call ended", "not answered"]
DispositionRule: TypeAlias = Literal[
    "estimated end",
    "answered",
    "served by leg",
    "served by fifo member",
    "served by standby agent",
    "not served",
    "caller cancelled",
    "originate_disposition",
    "last_bridge_hangup_cause",
    "Hangup-Cause",
]

_Became: TypeAlias = Decision[Disposition, DispositionRule]
_NOT_BILLED: Final[Decision[int, BilledUntilRule]] = Decision(0, "not answered")
_ANSWERED: Final[_Became] = Decision("answered", "answered")
_SERVED_BY_FIFO_MEMBER: Final[_Became] = Decision("answered", "served by fifo member")
_SERVED_BY_STANDBY_AGENT: Final[_Became] = Decision("answered", "served by standby agent")
_NOT_SERVED: Final[_Became] = Decision("abandoned", "not served")
_CALLER_CANCELLED: Final[_Became] = Decision("cancelled", "caller cancelled")


def last_to_hang_up(counted: Sequence[CallLeg]) -> CallLeg:
    """Return the leg with the latest Hangup-Time, which ends the call. All of `Call.dating_legs` have ended."""
    return max(counted, key=_hangup_us) if len(counted) > 1 else counted[0]


def _hangup_us(leg: CallLeg) -> int:
    return leg.outcome.hangup_us


def decide_billed_until(
    root: CallLeg, last: CallLeg, direction: Direction, *, answered: bool
) -> Decision[int, BilledUntilRule]:
    """Decide until when the call is billed, epoch µs: an inbound call until its root's own hangup. 0: not at all."""
    if not answered:
        return _NOT_BILLED
    if direction == "inbound":
        return Decision(root.outcome.hangup_us, "root hung up")
    return Decision(last.outcome.hangup_us, "call ended")


def decide_disposition(
    root: CallLeg,
    legs: Sequence[CallLeg],
    children: Sequence[CallLeg],
    *,
    last: CallLeg,
    answered: bool,
    queue_id: str | None,
    agent_rule: AgentRule,
) -> Decision[Disposition, DispositionRule]:
    """Decide what became of a call that has ended. `last` is the leg that ended it."""
    # A leg that was lost inside a call whose end the switch did state makes no lost call.
    if root.estimated:
        return Decision("lost", "estimated end", (root,))
    if last.estimated:
        return Decision("lost", "estimated end", (last,))
    outcome = root.outcome
    if answered:
        if queue_id is None:
            return _ANSWERED
        for leg in children:
            if _serves(leg):
                return Decision("answered", "served by leg", (leg,))
        if outcome.fifo_serviced_by:
            return _SERVED_BY_FIFO_MEMBER
        return _SERVED_BY_STANDBY_AGENT if agent_rule == "standby agent" else _NOT_SERVED
    if outcome.cause == "ORIGINATOR_CANCEL":
        return _CALLER_CANCELLED
    cause, rule = _telling_cause(root)
    rang = any(leg.outcome.progress_us for leg in legs)
    return Decision(unanswered_disposition(cause, rang=rang), rule)


def _serves(leg: CallLeg) -> bool:
    """Whether whoever answered this child served a caller who waited in a queue."""
    if leg.origin.loopback or not leg.answered_us:
        return False
    return leg.outcome.cc_agent_bridged if leg.outcome.cc_side == "agent" else True


def _telling_cause(root: CallLeg) -> tuple[str, DispositionRule]:
    """Return the first cause that tells why a call was not answered, else its Hangup-Cause."""
    outcome = root.outcome
    if is_telling(outcome.originate_disposition):
        return outcome.originate_disposition, "originate_disposition"
    if is_telling(outcome.last_bridge_cause):
        return outcome.last_bridge_cause, "last_bridge_hangup_cause"
    return outcome.cause, "Hangup-Cause"
