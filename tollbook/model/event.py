"""The headers of a FreeSWITCH event that the rules of docs/calls.md use, under names of our own.

An event has 150 to 300 headers. The wire decoders fill a struct directly, so a header that is not named here never
becomes a string. Each field costs 0.2 µs an event, because every header is compared with every field's name: so each
kind of event is read for its own fields alone (`event_kinds`).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec

# A SIP caller chooses names and numbers of any length. 256 characters hold every number, host, id and cause that
# FreeSWITCH or a dialplan makes (E.164 has 15 digits, a host name 253 characters), and keep a batch of 500 legs of
# three events each within a few MB, whoever sends them.
LONGEST_TEXT: Final = 256
CUT_MARK: Final = "…"
# A dialplan puts ids, numbers and names into the path of a recording; four times a text holds every one that we know.
LONGEST_PATH: Final = 1024
# 36 characters for each hold of a leg: 56 of them. Where one is cut, nobody can tell how long the leg was on hold.
LONGEST_HOLDS: Final = 2048

#: A text that the fast decoder takes as it is. It refuses a longer one, and the tolerant way cuts it (`cut_text`).
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Path: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_PATH)]
_Holds: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_HOLDS)]
_LONGEST: Final = {"record_path": LONGEST_PATH, "hold_events": LONGEST_HOLDS}

_HEADERS = {
    "name": "Event-Name",
    "core": "Core-UUID",
    "switchname": "FreeSWITCH-Switchname",
    "at_us": "Event-Date-Timestamp",
    "sequence": "Event-Sequence",
    "uid": "Unique-ID",
    "channel": "Channel-Name",
    "channel_direction": "Call-Direction",
    "caller": "Caller-Caller-ID-Number",
    "ani": "Caller-ANI",
    "dialed": "Caller-Destination-Number",
    "created_us": "Caller-Channel-Created-Time",
    "answered_us": "Caller-Channel-Answered-Time",
    "progress_us": "Caller-Channel-Progress-Time",
    "progress_media_us": "Caller-Channel-Progress-Media-Time",
    "hangup_us": "Caller-Channel-Hangup-Time",
    "cause": "Hangup-Cause",
    "other_type": "Other-Type",
    "other_uid": "Other-Leg-Unique-ID",
    "record_path": "Record-File-Path",
    "record_completion": "Record-Completion-Cause",
    "subclass": "Event-Subclass",
    "cc_action": "CC-Action",
    "agent": "CC-Agent",
    "agent_status": "CC-Agent-Status",
    "agent_state": "CC-Agent-State",
    "vm_action": "VM-Action",
    "queue_member": "CC-Member-Session-UUID",
    "queue": "CC-Queue",
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
    "application": "current_application",
    "hangup_disposition": "sip_hangup_disposition",
    "failure_status": "sip_invite_failure_status",
    "sip_call_id": "sip_call_id",
    "user_agent": "sip_user_agent",
    "codec": "rtp_use_codec_name",
    "mos": "rtp_audio_in_mos",
    "packets_in": "rtp_audio_in_media_packet_count",
    "packets_skipped": "rtp_audio_in_skip_packet_count",
    "hold_events": "hold_events",
    "last_bridge_to": "last_bridge_to",
    "cc_joined_s": "cc_queue_joined_epoch",
    "cc_answered_s": "cc_queue_answered_epoch",
    "cc_canceled_s": "cc_queue_canceled_epoch",
}

# In a map of fields to headers, a variable of the operator's list stands under this prefix and its name.
VARIABLE_PREFIX: Final = "vars:"


def header_names(
    account_variable: str = ACCOUNT_VARIABLE,
    parent_variable: str = PARENT_VARIABLE,
    direction_variable: str = DIRECTION_VARIABLE,
    variables_kept: Iterable[str] = (),
) -> dict[str, str]:
    """Map each field of `SwitchEvent` to the header that it is read from.

    The operator names three of the variables, and lists those that are kept as they are (`variables_kept`).
    """
    named = {"account": account_variable, "cdr_parent": parent_variable, "cdr_direction": direction_variable}
    variables = {**_VARIABLES, **named}
    variables |= {f"{VARIABLE_PREFIX}{name}": name for name in sorted(variables_kept)}
    return {**_HEADERS, **{field: f"variable_{name}" for field, name in variables.items()}}


class SwitchEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One event of the switch. Absent texts are ''; `*_us` are epoch µs of the switch's clock, 0 when absent.

    A text of more than LONGEST_TEXT characters is cut in its middle, except destination_url; record_path and
    hold_events have bounds of their own. `vars`: name and value of the operator's variables that are set, by name.
    """

    name: Text = ""
    core: Text = ""
    switchname: Text = ""
    at_us: int = 0
    sequence: int = 0
    uid: Text = ""
    channel: Text = ""
    channel_direction: Text = ""
    caller: Text = ""
    ani: Text = ""
    dialed: Text = ""
    created_us: int = 0
    answered_us: int = 0
    progress_us: int = 0
    progress_media_us: int = 0
    hangup_us: int = 0
    cause: Text = ""
    other_type: Text = ""
    other_uid: Text = ""
    record_path: _Path = ""
    record_completion: Text = ""
    subclass: Text = ""
    cc_action: Text = ""
    agent: Text = ""
    agent_status: Text = ""
    agent_state: Text = ""
    vm_action: Text = ""
    queue_member: Text = ""
    queue: Text = ""
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
    application: Text = ""
    hangup_disposition: Text = ""
    failure_status: int = 0
    sip_call_id: Text = ""
    user_agent: Text = ""
    codec: Text = ""
    mos: Text = ""
    packets_in: int = 0
    packets_skipped: int = 0
    hold_events: _Holds = ""
    last_bridge_to: Text = ""
    cc_joined_s: int = 0
    cc_answered_s: int = 0
    cc_canceled_s: int = 0
    vars: tuple[tuple[str, str], ...] = ()


INTEGER_FIELDS = frozenset(name for name, kind in SwitchEvent.__annotations__.items() if kind is int)
_WHOLE_FIELDS = frozenset(name for name, kind in SwitchEvent.__annotations__.items() if kind is str)


def tidy(field: str, value: str) -> str | int:
    """Return the value of a header as the field of `SwitchEvent` takes it: cleaned, and of bounded length."""
    if field in INTEGER_FIELDS:
        return tidy_integer(value)
    text = tidy_text(value)
    return text if field in _WHOLE_FIELDS else cut_text(text, _LONGEST.get(field, LONGEST_TEXT))


def tidy_text(value: str) -> str:
    """Return a text without FreeSWITCH's mark for "nothing", and with U+FFFD for NUL, which PostgreSQL refuses."""
    return "" if value == "_undef_" else value.replace("\0", "\ufffd")


def cut_text(value: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text of at most `longest` characters: of a longer one its beginning and its end, with "…" between.

    Both are kept because rules read both: `loopback/` and `-b` of a channel's name, a number's prefix, a host.
    """
    if len(value) <= longest:
        return value
    kept_at_end = longest // 2
    return f"{value[: longest - kept_at_end - 1]}{CUT_MARK}{value[-kept_at_end:]}"


def tidy_integer(value: str) -> int:
    """Return the number in a header; 0, the switch's own "not set", when it is not all digits."""
    # int() alone would also take Arabic digits, underscores and spaces, which no clock of the switch writes.
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def event_from_headers(values: Mapping[str, str], headers: Mapping[str, str]) -> SwitchEvent:
    """Return the `SwitchEvent` of decoded headers: the tolerant way, for what the fast decoder refuses."""
    fields = {field: tidy(field, values[header]) for field, header in headers.items() if header in values}
    return event_of_fields(fields)


def event_of_fields(fields: dict[str, Any]) -> SwitchEvent:
    """Return the `SwitchEvent` of tidy values. Takes the operator's variables out of `fields`."""
    names = [field for field in fields if field.startswith(VARIABLE_PREFIX)]
    if names:
        stated = ((name.removeprefix(VARIABLE_PREFIX), fields.pop(name)) for name in names)
        fields["vars"] = tuple(sorted((name, value) for name, value in stated if value))
    return SwitchEvent(**fields)
