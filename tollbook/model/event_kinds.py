"""Which headers each kind of event is read for: those that something is made of in an event of that name."""

from collections.abc import Iterable, Mapping
from typing import Final

from tollbook.model.event import VARIABLE_PREFIX, SwitchEvent

_OF_EVERY_EVENT: Final = ("name", "core", "switchname", "at_us", "sequence", "uid", "created_us")
_OF_A_RECORDING: Final = ("record_path", "record_completion", "application")
_OF_CUSTOM: Final = (
    *("subclass", "cc_action", "vm_action", "queue_member", "queue", "agent", "agent_status", "agent_state"),
)
_OF_A_QUEUE: Final = (*_OF_CUSTOM, "cc_agent_type", "account")
# What a leg does not have yet at its creation, or what only stands in for a creation that was not heard.
_OF_AN_END: Final = frozenset(
    (
        *("ani", "original_dialed", "req_user", "hangup_us", "cause", "cc_agent_bridged", "fifo_serviced_by"),
        *("last_app", "last_arg", "originate_disposition", "last_bridge_cause", "progress_media_us"),
        *("hangup_disposition", "failure_status", "user_agent", "codec", "mos", "packets_in", "packets_skipped"),
        *("hold_events", "last_bridge_to", "cc_joined_s", "cc_answered_s", "cc_canceled_s"),
    )
)
# What a leg is from its creation on, which its end repeats for whoever did not hear the creation, and what only stands
# in for a creation. What a rule reads of both, as a number that a transfer changes, is not here.
_OF_A_CREATION: Final = frozenset(
    (
        *("channel", "caller", "ani", "original_dialed", "req_user", "other_type", "other_uid", "cdr_parent"),
        *("originator", "originating_leg", "loopback_other", "fifo_bridge", "cc_member", "cc_agent_type", "recovered"),
        *("user", "dialed_user", "gateway", "profile", "destination_url", "source_gateway"),
    )
)
_AT_END: Final = tuple(name for name in SwitchEvent.__annotations__ if name not in (*_OF_A_RECORDING, *_OF_CUSTOM))

#: The fields that each kind of event is read for. `vars` stands for all variables of the operator's list.
FIELDS_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "CHANNEL_CREATE": tuple(name for name in _AT_END if name not in _OF_AN_END),
    "CHANNEL_ANSWER": (*_OF_EVERY_EVENT, "answered_us"),
    "CHANNEL_HANGUP_COMPLETE": _AT_END,
    "RECORD_STOP": (*_OF_EVERY_EVENT, *_OF_A_RECORDING),
    "CUSTOM": (*_OF_EVERY_EVENT, *_OF_A_QUEUE),
}
#: Of a CHANNEL_HANGUP_COMPLETE whose leg's creation is at hand, and is kept with it.
FIELDS_OF_A_CREATED_LEGS_END: Final = tuple(name for name in _AT_END if name not in _OF_A_CREATION)
#: Of any other event, as HEARTBEAT and CHANNEL_DATA, which answers `uuid_dump`.
FIELDS_OF_OTHERS: Final = _AT_END


def headers_of(event_name: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return of a map of fields to headers (`header_names`) those that a kind of event is read for."""
    return headers_for(FIELDS_READ.get(event_name, FIELDS_OF_OTHERS), headers)


def headers_for(wanted: Iterable[str], headers: Mapping[str, str]) -> dict[str, str]:
    """Return of a map of fields to headers those of some fields."""
    fields = frozenset(wanted)
    with_variables = "vars" in fields
    return {
        field: header
        for field, header in headers.items()
        if field in fields or (with_variables and field.startswith(VARIABLE_PREFIX))
    }
