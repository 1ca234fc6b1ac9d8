"""Whose child a leg is: the first line that applies of the table in docs/calls.md, read at the leg's creation."""

from collections.abc import Callable

import msgspec

from tollbook.model.event import SwitchEvent


class Parent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The leg that this one was made for: its Unique-ID, and the header that names it."""

    uid: str
    named_by: str


def _other_leg(event: SwitchEvent) -> str:
    # After `sofia recover` Other-Type is remembered from before the crash and cannot be relied on. A leg that came in
    # was made by no leg of this switch: when only its end was heard, the header names the leg it was bridged to last.
    made_here = event.channel_direction == "outbound" and event.recovered != "true"
    return event.other_uid if made_here and event.other_type == "originator" else ""


def _queue_member(event: SwitchEvent) -> str:
    # The leg of a uuid-standby agent is up before and after the member's: it is a call of its own.
    return event.cc_member if event.cc_side == "agent" and event.cc_agent_type == "callback" else ""


def _fifo_caller(event: SwitchEvent) -> str:
    return event.fifo_bridge if event.channel_direction == "outbound" else ""


def _loopback_a_side(event: SwitchEvent) -> str:
    is_b_side = event.channel.startswith("loopback/") and event.channel.endswith("-b")
    return event.loopback_other if is_b_side else ""


_RULES: tuple[tuple[str, Callable[[SwitchEvent], str]], ...] = (
    ("cdr_parent", lambda event: event.cdr_parent),
    ("originator", lambda event: event.originator),
    ("originating_leg_uuid", lambda event: event.originating_leg),
    ("Other-Leg-Unique-ID", _other_leg),
    ("cc_member_session_uuid", _queue_member),
    ("fifo_bridge_uuid", _fifo_caller),
    ("other_loopback_leg_uuid", _loopback_a_side),
)


def parent_named_by(event: SwitchEvent) -> Parent | None:
    """Return the parent of an event's leg, with the header that names it; None for a root."""
    if not (
        event.cdr_parent or event.originator or event.originating_leg or event.other_uid
        or event.cc_member or event.fifo_bridge or event.loopback_other
    ):  # fmt: skip
        return None  # nothing names any leg, as for most roots: a third of the time of applying each rule
    for header, parent_of in _RULES:
        uid = parent_of(event)
        if uid and uid != event.uid:
            return Parent(uid, header)
    return None
