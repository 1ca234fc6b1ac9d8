"""The headers of a FreeSWITCH event that the rules of docs/calls.md use, under names of our own.

An event has 150 to 300 headers. The wire decoders fill this struct directly, so a header that is not named here never
becomes a string. Each field costs 0.2 µs an event, because every header is compared with every field's name.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

_HEADERS = {
    "name": "Event-Name",
    "core": "Core-UUID",
    "switchname": "FreeSWITCH-Switchname",
    "at_us": "Event-Date-Timestamp",
    "uid": "Unique-ID",
    "channel": "Channel-Name",
    "channel_direction": "Call-Direction",
    "caller": "Caller-Caller-ID-Number",
    "ani": "Caller-ANI",
    "dialed": "Caller-Destination-Number",
    "created_us": "Caller-Channel-Created-Time",
    "answered_us": "Caller-Channel-Answered-Time",
    "progress_us": "Caller-Channel-Progress-Time",
    "hangup_us": "Caller-Channel-Hangup-Time",
    "cause": "Hangup-Cause",
    "other_type": "Other-Type",
    "other_uid": "Other-Leg-Unique-ID",
}

ACCOUNT_VARIABLE = "accountcode"
PARENT_VARIABLE = "cdr_parent"

_VARIABLES = {
    "account": ACCOUNT_VARIABLE,
    "cdr_parent": PARENT_VARIABLE,
    "originator": "originator",
    "originating_leg": "originating_leg_uuid",
    "loopback_other": "other_loopback_leg_uuid",
    "fifo_bridge": "fifo_bridge_uuid",
    "fifo_serviced_by": "fifo_serviced_by",
    "cc_side": "cc_side",
    "cc_agent_type": "cc_agent_type",
    "cc_member": "cc_member_session_uuid",
    "cc_queue": "cc_queue",
    "cc_agent": "cc_agent",
    "cc_agent_bridged": "cc_agent_bridged",
    "cc_cause": "cc_cause",
    "recovered": "recovered",
    "user": "user_name",
    "dialed_user": "dialed_user",
    "gateway": "sip_gateway_name",
    "profile": "sofia_profile_name",
    "destination_url": "sip_destination_url",
    "call_direction": "call_direction",
    "call_number": "call_number",
    "last_app": "last_app",
    "last_arg": "last_arg",
    "originate_disposition": "originate_disposition",
    "last_bridge_cause": "last_bridge_hangup_cause",
    "original_dialed": "original_destination_number",
    "req_user": "sip_req_user",
}


def header_names(account_variable: str = ACCOUNT_VARIABLE, parent_variable: str = PARENT_VARIABLE) -> dict[str, str]:
    """Map each field of `SwitchEvent` to the header that it is read from. The operator names two of the variables."""
    variables = {**_VARIABLES, "account": account_variable, "cdr_parent": parent_variable}
    return {**_HEADERS, **{field: f"variable_{name}" for field, name in variables.items()}}


class SwitchEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One event of the switch. Absent texts are ''; `*_us` are epoch µs of the switch's clock, 0 when absent."""

    name: str = ""
    core: str = ""
    switchname: str = ""
    at_us: int = 0
    uid: str = ""
    channel: str = ""
    channel_direction: str = ""
    caller: str = ""
    ani: str = ""
    dialed: str = ""
    created_us: int = 0
    answered_us: int = 0
    progress_us: int = 0
    hangup_us: int = 0
    cause: str = ""
    other_type: str = ""
    other_uid: str = ""
    account: str = ""
    cdr_parent: str = ""
    originator: str = ""
    originating_leg: str = ""
    loopback_other: str = ""
    fifo_bridge: str = ""
    fifo_serviced_by: str = ""
    cc_side: str = ""
    cc_agent_type: str = ""
    cc_member: str = ""
    cc_queue: str = ""
    cc_agent: str = ""
    cc_agent_bridged: str = ""
    cc_cause: str = ""
    recovered: str = ""
    user: str = ""
    dialed_user: str = ""
    gateway: str = ""
    profile: str = ""
    destination_url: str = ""
    call_direction: str = ""
    call_number: str = ""
    last_app: str = ""
    last_arg: str = ""
    originate_disposition: str = ""
    last_bridge_cause: str = ""
    original_dialed: str = ""
    req_user: str = ""


INTEGER_FIELDS = frozenset(name for name, kind in SwitchEvent.__annotations__.items() if kind is int)


def event_type(headers: Mapping[str, str]) -> type[SwitchEvent]:
    """Return a struct like `SwitchEvent` that decodes each field from the header that `headers` maps it to."""
    # The fields are listed again because msgspec renames only those that a struct defines, not those it inherits.
    fields = [(field.name, field.type, field.default) for field in msgspec.structs.fields(SwitchEvent)]
    made = msgspec.defstruct(
        "WireEvent",
        fields,
        bases=(SwitchEvent,),
        rename=dict(headers),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        gc=False,
    )
    return cast("type[SwitchEvent]", made)


def tidy_text(value: str) -> str:
    """Return a text without FreeSWITCH's mark for "nothing", and with U+FFFD for NUL, which PostgreSQL refuses."""
    return "" if value == "_undef_" else value.replace("\0", "\ufffd")


def tidy_integer(value: str) -> int:
    """Return the number in a header; 0, the switch's own "not set", when it is not all digits."""
    # int() alone would also take Arabic digits, underscores and spaces, which no clock of the switch writes.
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def event_from_headers(values: Mapping[str, str], headers: Mapping[str, str]) -> SwitchEvent:
    """Return the `SwitchEvent` of decoded headers: the tolerant way, for what the fast decoder refuses."""
    fields: dict[str, Any] = {}
    for field, header in headers.items():
        value = values.get(header)
        if value is not None:
            fields[field] = tidy_integer(value) if field in INTEGER_FIELDS else tidy_text(value)
    return SwitchEvent(**fields)
