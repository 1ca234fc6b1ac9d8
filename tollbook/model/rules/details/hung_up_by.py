"""Who ended the last conversation of a call."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision
from tollbook.model.vocabulary import HungUpBy

HungUpByRule: TypeAlias = Literal[
    "caller hung up",
    "callee hung up",
    "callee hung up after the caller left",
    "nobody hung up after the caller left",
    "nobody hung up",
    "no leg says",
    "estimated end",
]
_By: TypeAlias = Decision[HungUpBy | None, HungUpByRule]

# After the root by more than this, the called legs went on talking: the caller left by a transfer.
CALLER_LEFT_US: Final = 500_000
# A leg that hangs up takes the other with it: at once by the clock, which steps by 20 ms, or a little later when the
# dialplan still has something to do.
_ENDED_TOGETHER_US: Final = 400_000
_CLOCK_STEP_US: Final = 20_000

_BY_CALLER: Final[_By] = Decision("caller", "caller hung up")
_BY_SWITCH: Final[_By] = Decision("switch", "nobody hung up")
_UNSAID: Final[_By] = Decision(None, "no leg says")
_ESTIMATED: Final[_By] = Decision(None, "estimated end")
_LEFT_CALL: Final = frozenset(("recv_bye", "recv_cancel"))
_LEFT_OR_REFUSED: Final = frozenset(("recv_bye", "recv_refuse"))
# No party is at the other end of these, so it is not missed that they never say who hung up.
_NO_PARTY: Final = ("loopback/", "pickup/")


def decide_hung_up_by(root: CallLeg, children: Sequence[CallLeg], bridged_last: CallLeg | None) -> _By:
    """Decide who ended the call. `bridged_last`: the leg of another call that was the last party, if it was one."""
    if root.estimated:
        return _ESTIMATED
    root_us = root.outcome.hangup_us
    last_us = 0
    for leg in children:
        # An estimated end is none that anybody made.
        if leg.answered_us and leg.outcome.hangup_us > last_us and not leg.estimated:
            last_us = leg.outcome.hangup_us
    if last_us > root_us + CALLER_LEFT_US:
        return _after_the_caller_left(children, bridged_last, last_us)
    disposition = _disposition(root)
    if disposition in _LEFT_CALL:
        return _BY_CALLER
    unsaid = not disposition
    for leg in children if bridged_last is None else (*children, bridged_last):
        if -_ENDED_TOGETHER_US <= leg.outcome.hangup_us - root_us <= _CLOCK_STEP_US:
            disposition = _disposition(leg)
            if disposition in _LEFT_OR_REFUSED:
                return Decision("callee", "callee hung up", (leg,))
            unsaid = unsaid or (not disposition and _is_silent_party(leg))
        elif leg.estimated and leg.answered_us:
            unsaid = True
    return _UNSAID if unsaid else _BY_SWITCH


def _after_the_caller_left(children: Sequence[CallLeg], bridged_last: CallLeg | None, last_us: int) -> _By:
    legs = [
        leg
        for leg in children
        if leg.answered_us and not leg.estimated and leg.outcome.hangup_us >= last_us - _ENDED_TOGETHER_US
    ]
    parties = legs if bridged_last is None else [*legs, bridged_last]
    for leg in parties:
        if not -_ENDED_TOGETHER_US <= leg.outcome.hangup_us - last_us <= _CLOCK_STEP_US:
            continue
        if _disposition(leg) == "recv_bye":
            return Decision("callee", "callee hung up after the caller left", (leg,))
    if any(map(_is_silent_party, legs)) or not any(map(_disposition, legs)):
        return _UNSAID
    return Decision("switch", "nobody hung up after the caller left", tuple(legs))


def _disposition(leg: CallLeg) -> str:
    details = leg.outcome.details
    return details.hangup_disposition if details is not None else ""


def _is_silent_party(leg: CallLeg) -> bool:
    """Whether somebody talked over this leg, and its module (verto, FreeTDM) never says who hung up."""
    return bool(leg.answered_us) and not _disposition(leg) and not leg.origin.channel.startswith(_NO_PARTY)
