"""Parse a file of FreeSWITCH's mod_json_cdr into a leg.

The file is written at the leg's end, so it holds the same facts as CHANNEL_HANGUP_COMPLETE. Its oldest caller profile
is the one that the leg was created with, so it also replaces a CHANNEL_CREATE that the listener missed.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.errors import DataError
from tollbook.model.event import event_from_headers
from tollbook.model.leg import FROM_CDR_FILE, Leg, facts_of, leg_of

# If encode-values is on, no value contains any of these, because switch_url_encode escapes them; if it is off, every
# file has some.
_ALWAYS_ENCODED = frozenset(' "#&+:;<=>?@[\\]^`{|}')

# A list takes 56 bytes in memory and 2 in a file: 16 MB of them took 416 MB. The files that we know have 50 lists and
# objects at most; that of a call with a thousand transfers would have some 5,000.
MAX_CONTAINERS = 10_000

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")

_TIMES = {
    "Caller-Channel-Created-Time": "created_time",
    "Caller-Channel-Answered-Time": "answered_time",
    "Caller-Channel-Progress-Time": "progress_time",
    "Caller-Channel-Progress-Media-Time": "progress_media_time",
    "Caller-Channel-Hangup-Time": "hangup_time",
}


def leg_of_file(content: bytes, headers: Mapping[str, str]) -> Leg:
    """Return the leg of a file with percent-encoded or raw values and any bytes; raise DataError if it has none.

    `headers`: from `tollbook.model.event.header_names`, with the operator's variables.
    """
    return leg_of_record(_object(parsed(content), "the file"), headers)


def leg_of_record(record: dict[str, Any], headers: Mapping[str, str], source: int = FROM_CDR_FILE) -> Leg:
    """Return the leg of a parsed record as mod_json_cdr writes it; raise DataError if it has none.

    `headers` as in `leg_of_file`; `source`: how far what it states is believed (`tollbook.model.leg`).
    """
    variables = _variables(_object(record.get("variables"), "variables"))
    flow: Any = record.get("callflow")
    if not isinstance(flow, list) or not flow:
        raise DataError("no callflow in it")
    profiles = cast("list[Any]", flow)
    newest, oldest = _object(profiles[0], "callflow"), _object(profiles[-1], "callflow")
    common = {f"variable_{name}": value for name, value in variables.items()} | {
        "Core-UUID": str(record.get("core-uuid", "")),
        "FreeSWITCH-Switchname": str(record.get("switchname", "")),
        "Unique-ID": variables.get("uuid", ""),
        "Channel-Name": variables.get("channel_name", ""),
        "Call-Direction": variables.get("direction", ""),
        "Hangup-Cause": variables.get("hangup_cause", ""),
        "Event-Date-Timestamp": variables.get("end_uepoch", ""),
    }
    common |= _times(newest)
    ended = event_from_headers(common | _profile(newest) | {"Event-Name": "CHANNEL_HANGUP_COMPLETE"}, headers)
    created = event_from_headers(common | _profile(oldest) | _originator(oldest), headers)
    leg = leg_of(ended, ended.switchname)
    if leg is None or leg.end is None or not leg.switch:
        raise DataError("no uuid, switchname or created_time in it")
    return msgspec.structs.replace(
        leg,
        create=facts_of(created, source),
        end=msgspec.structs.replace(leg.end, source=source),
    )


def parsed(content: bytes) -> Any:
    """Return what is in JSON of bytes that may be anything; raise DataError where it is none, or has no end."""
    # Counted, not parsed: brackets within texts count too, and no file has a hundredth of so many.
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS:
        raise DataError(f"more than {MAX_CONTAINERS} lists and objects in it")
    try:
        text = content.decode("utf-8", "replace")
        if _SURROGATE_ESCAPE.search(text):
            # Alone, such an escape is no character, and neither PostgreSQL nor UTF-8 can hold it.
            return _well_formed(json.loads(text, strict=False))
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise DataError("lists or objects in it are nested too deeply") from error
    except ValueError as error:
        raise DataError(f"not JSON, perhaps still being written: {error}") from error


def _well_formed(value: Any) -> Any:
    """Return a parsed value with U+FFFD for each lone surrogate."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_well_formed(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"no {name} in it")
    return cast("dict[str, Any]", value)


def _variables(raw: dict[str, Any]) -> dict[str, str]:
    texts = {name: value for name, value in raw.items() if isinstance(value, str)}
    if any(not _ALWAYS_ENCODED.isdisjoint(value) for value in texts.values()):
        return texts
    return {name: unquote_to_bytes(value).decode("utf-8", "replace") for name, value in texts.items()}


def _times(flow: dict[str, Any]) -> dict[str, str]:
    times = _object(flow.get("times"), "times")
    return {header: str(times.get(name, "")) for header, name in _TIMES.items()}


def _profile(flow: dict[str, Any]) -> dict[str, str]:
    profile = _object(flow.get("caller_profile"), "caller_profile")
    return {
        "Caller-Caller-ID-Number": str(profile.get("ani") or profile.get("caller_id_number", "")),
        "Caller-Destination-Number": str(profile.get("destination_number", "")),
    }


def _originator(flow: dict[str, Any]) -> dict[str, str]:
    profile: Any = _object(flow.get("caller_profile"), "caller_profile").get("originator")
    if not isinstance(profile, dict):
        return {}
    others: Any = cast("dict[str, Any]", profile).get("originator_caller_profiles")
    first: Any = cast("list[Any]", others)[0] if isinstance(others, list) and others else None
    uid: Any = cast("dict[str, Any]", first).get("uuid") if isinstance(first, dict) else None
    return {"Other-Type": "originator", "Other-Leg-Unique-ID": uid} if isinstance(uid, str) else {}
