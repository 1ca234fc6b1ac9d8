"""The leg of another call that a call's last leg was bridged with last, as after an attended transfer."""

from collections.abc import Iterable

from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call
from tollbook.model.rules.details.hung_up_by import CALLER_LEFT_US


def bridged_elsewhere(call: Call) -> str:
    """Return the id of the leg of another call that who talked last in a call was bridged with; '' for none."""
    last = _last_to_talk(call)
    details = last.outcome.details if last is not None else None
    if details is None or not details.last_bridge_to:
        return ""
    uid = details.last_bridge_to
    for leg in call.legs:  # a third of the time of any(), for every call
        if leg.uid == uid:
            return ""
    return uid


def bridged_last(call: Call, same_uid: Iterable[CallLeg]) -> CallLeg | None:
    """Return of the legs with the id that `bridged_elsewhere` names the one that the call's last leg was bridged with.

    It has ended, and names that leg as well: so whichever of the two ends later finds the other's row by what it states
    itself. Of several lives of the id the newest that does. None if there is no such leg.
    """
    last = _last_to_talk(call)
    if last is None:
        return None
    naming = [
        leg
        for leg in same_uid
        if leg.created_us <= last.outcome.hangup_us
        and leg.outcome.details is not None
        and leg.outcome.details.last_bridge_to == last.uid
    ]
    return max(naming, key=lambda leg: leg.created_us, default=None)


def _last_to_talk(call: Call) -> CallLeg | None:
    """Return the root, or the called leg that went on longest after the caller had left by a transfer."""
    root = last = call.root
    if root is None or root.end is None:
        return None
    last_us = root.outcome.hangup_us + CALLER_LEFT_US
    for leg in call.legs:
        if leg.answered_us and leg is not root and leg.outcome.hangup_us > last_us and not leg.estimated:
            last, last_us = leg, leg.outcome.hangup_us
    return last
