"""The headers of a FreeSWITCH event that the rules of docs/calls.md use, under names of our own.

An event has 150 to 300 headers. The wire decoders fill this struct directly, so a header that is not named here never
becomes a string. Each field costs 0.2 µs an event, because every header is compared with every field's name.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, cast

import msgspec

# A SIP caller chooses names and numbers of any length. 256 characters hold every number, host, id and cause that
# FreeSWITCH or a dialplan makes (E.164 has 15 digits, a host name 253 characters), and keep a batch of 500 legs of
# three events each within a few MB, whoever sends them.
LONGEST_TEXT: Final = 256
_KEPT_AT_END: Final = LONGEST_TEXT // 2
CUT_MARK: Final = "…"

#: A text that the fast decoder takes as it is. It refuses a longer one, and the tolerant way cuts it (`cut_text`).
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]

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
DIRECTION_VARIABLE = "cdr_direction"

_VARIABLES = {
    "account": ACCOUNT_VARIABLE,
    "cdr_parent": PARENT_VARIABLE,
    "cdr_direction": DIRECTION_VARIABLE,
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
    "source_gateway": "sip_gateway",
    "source_ip": "sip_network_ip",
    "call_direction": "call_direction",
    "call_number": "call_number",
    "last_app": "last_app",
    "last_arg": "last_arg",
    "originate_disposition": "originate_disposition",
    "last_bridge_cause": "last_bridge_hangup_cause",
    "original_dialed": "original_destination_number",
    "req_user": "sip_req_user",
}


def header_names(
    account_variable: str = ACCOUNT_VARIABLE,
    parent_variable: str = PARENT_VARIABLE,
    direction_variable: str = DIRECTION_VARIABLE,
) -> dict[str, str]:
    """Map each field of `SwitchEvent` to the header that it is read from. The operator names three of the variables."""
    named = {"account": account_variable, "cdr_parent": parent_variable, "cdr_direction": direction_variable}
    variables = {**_VARIABLES, **named}
    return {**_HEADERS, **{field: f"variable_{name}" for field, name in variables.items()}}


class SwitchEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One event of the switch. Absent texts are ''; `*_us` are epoch µs of the switch's clock, 0 when absent.

    A text of more than LONGEST_TEXT characters is cut in its middle, except destination_url.
    """

    name: Text = ""
    core: Text = ""
    switchname: Text = ""
    at_us: int = 0
    uid: Text = ""
    channel: Text = ""
    channel_direction: Text = ""
    caller: Text = ""
    ani: Text = ""
    dialed: Text = ""
    created_us: int = 0
    answered_us: int = 0
    progress_us: int = 0
    hangup_us: int = 0
    cause: Text = ""
    other_type: Text = ""
    other_uid: Text = ""
    account: Text = ""
    cdr_parent: Text = ""
    cdr_direction: Text = ""
    originator: Text = ""
    originating_leg: Text = ""
    loopback_other: Text = ""
    fifo_bridge: Text = ""
    fifo_serviced_by: Text = ""
    cc_side: Text = ""
    cc_agent_type: Text = ""
    cc_member: Text = ""
    cc_queue: Text = ""
    cc_agent: Text = ""
    cc_agent_bridged: Text = ""
    cc_cause: Text = ""
    recovered: Text = ""
    user: Text = ""
    dialed_user: Text = ""
    gateway: Text = ""
    profile: Text = ""
    destination_url: str = ""  # never stored: only its host is, whatever stands before it
    source_gateway: Text = ""
    source_ip: Text = ""
    call_direction: Text = ""
    call_number: Text = ""
    last_app: Text = ""
    last_arg: Text = ""
    originate_disposition: Text = ""
    last_bridge_cause: Text = ""
    original_dialed: Text = ""
    req_user: Text = ""


INTEGER_FIELDS = frozenset(name for name, kind in SwitchEvent.__annotations__.items() if kind is int)
_WHOLE_FIELDS = frozenset(name for name, kind in SwitchEvent.__annotations__.items() if kind is str)


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


def tidy(field: str, value: str) -> str | int:
    """Return the value of a header as the field of `SwitchEvent` takes it: cleaned, and of bounded length."""
    if field in INTEGER_FIELDS:
        return tidy_integer(value)
    text = tidy_text(value)
    return text if field in _WHOLE_FIELDS else cut_text(text)


def tidy_text(value: str) -> str:
    """Return a text without FreeSWITCH's mark for "nothing", and with U+FFFD for NUL, which PostgreSQL refuses."""
    return "" if value == "_undef_" else value.replace("\0", "\ufffd")


def cut_text(value: str) -> str:
    """Return a text of at most LONGEST_TEXT characters: of a longer one its beginning and its end, with "…" between.

    Both are kept because rules read both: `loopback/` and `-b` of a channel's name, a number's prefix, a host.
    """
    if len(value) <= LONGEST_TEXT:
        return value
    return f"{value[: LONGEST_TEXT - _KEPT_AT_END - 1]}{CUT_MARK}{value[-_KEPT_AT_END:]}"


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
            fields[field] = tidy(field, value)
    return SwitchEvent(**fields)
