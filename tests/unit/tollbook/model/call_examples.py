"""The examples of docs/calls.md: a call in a few words, and what its row must say. The page explains the words."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from tests.factories import SECOND_US
from tollbook.config import Settings
from tollbook.model.call_tree import calls_of
from tollbook.model.details import Details
from tollbook.model.event import event_from_headers, header_names
from tollbook.model.event_kinds import headers_of
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import FROM_CDR_FILE, Leg, end_as_lost, leg_of, merge_all
from tollbook.model.numbers import owner_key
from tollbook.model.record import Row

SWITCH: Final = "fs1"
#: Second 0 of an example: a whole second, because rows count those of the clock.
START_US: Final = 1_790_000_000 * SECOND_US

# An example: a call in backticks, an arrow, and what its rows say.
_EXAMPLE: Final = re.compile(r"`([^`]+)` → ([^|\n]+)")

_ROOTS: Final = {
    "phone": {
        "Call-Direction": "inbound", "Channel-Name": "sofia/internal/1000@192.0.2.50", "from": "1000",
        "dialled": "2000", "user_name": "1000", "accountcode": "acme", "sip_network_ip": "192.0.2.50",
    },
    "caller": {
        "Call-Direction": "inbound", "Channel-Name": "sofia/external/14155550100@198.51.100.7", "from": "14155550100",
        "dialled": "442079460000", "sip_network_ip": "198.51.100.7", "sofia_profile_name": "external",
    },
    "originate": {
        "Call-Direction": "outbound", "Channel-Name": "sofia/internal/1000@192.0.2.50", "from": "0000000000",
        "dialled": "1000", "dialed_user": "1000", "accountcode": "acme",
    },
}  # fmt: skip
_SENT_OUT: Final = {"Call-Direction": "outbound", "from": "1000"}
_TO_DESK: Final = {"Channel-Name": "sofia/internal/1001@192.0.2.51", "dialled": "1001", "dialed_user": "1001"}
# ROOT stands for the id of the first leg, and DIALLED for the number dialled.
_CHILDREN: Final = {
    "desk": {**_SENT_OUT, **_TO_DESK, "originator": "ROOT"},
    "trunk": {
        **_SENT_OUT, "Channel-Name": "sofia/external/DIALLED", "dialled": "15551230001", "originator": "ROOT",
        "sip_gateway_name": "carrier",
    },
    "peer": {
        **_SENT_OUT, "Channel-Name": "sofia/external/DIALLED@203.0.113.9", "dialled": "15551230001",
        "originator": "ROOT", "sip_destination_url": "sip:DIALLED@203.0.113.9:5060",
    },
    "agent": {
        **_SENT_OUT, **_TO_DESK, "cc_side": "agent", "cc_agent_type": "callback", "cc_member_session_uuid": "ROOT",
        "cc_queue": "support", "cc_agent": "1001",
    },
    "member": {**_SENT_OUT, **_TO_DESK, "fifo_bridge_uuid": "ROOT"},
    "loopback": {**_SENT_OUT, "Channel-Name": "loopback/9003-a", "dialled": "9003", "originator": "ROOT"},
}  # fmt: skip
_FLAGS: Final = {"unheard", "lost", "rang", "recovered", "file"}
# Headers under short names. Those without a capital are variables, written without `variable_`.
_HEADERS: Final = {
    "dialled": "Caller-Destination-Number", "from": "Caller-Caller-ID-Number", "cause": "Hangup-Cause",
    "id": "Unique-ID", "of": "variable_originator",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Example:
    """A call, and what the page says of its rows, oldest first."""

    call: str
    rows: str


def examples_in(text: str) -> Iterator[Example]:
    """Find the examples of a text."""
    return (Example(call=call, rows=rows.strip()) for call, rows in _EXAMPLE.findall(text))


def disagreements(example: Example) -> list[str]:
    """Fold the call, in two orders of its events, and list what the rows do not say as the page does."""
    legs, settings = read_call(example.call)
    wanted = [dict(_claims(row)) for row in example.rows.split(" / ")]
    found: list[str] = []
    for heard in (legs, legs[::-1]):
        rows = _rows(heard, settings)
        if len(rows) != len(wanted):
            found.append(f"{len(rows)} rows")
        found += [
            f"{name} {said.get(name, 'is no column')}"
            for said, claims in zip(rows, wanted, strict=False)
            for name, value in claims.items()
            if said.get(name) != value
        ]
    return found


def _claims(row: str) -> Iterator[tuple[str, str]]:
    for claim in row.split(", "):
        name, _, value = claim.strip().partition(" ")
        yield name, value


def _rows(legs: list[Leg], settings: FoldSettings) -> list[dict[str, str]]:
    calls = calls_of(merge_all(legs).values())
    rows = [(fold(call, settings, SWITCH), len(call.legs)) for call in calls]
    return [_said(row, legs_of_row) for row, legs_of_row in sorted(rows, key=lambda found: found[0].key)]


def _said(row: Row, legs: int) -> dict[str, str]:
    """Write a row as the page does: times in seconds from second 0, NULL for None, parts as words."""
    columns = {name: _text(value) for name, value in msgspec.structs.asdict(row).items()}
    for name in ("start_ts", "answer_ts", "end_ts"):
        at_ms = getattr(row, name)
        columns[name] = "NULL" if at_ms is None else f"{(at_ms - START_US // 1000) / 1000:g}".replace("-", "−")
    parts = [f"{part.direction} {part.number} {part.seconds}" for part in row.parts or ()]
    return (columns | said_of_details(row.details)) | {
        "parts": " + ".join(parts) or "none",
        "doubt": " + ".join(doubt.kind for doubt in row.doubts) or "none",
        "estimated": "yes" if row.estimated else "no",
        "complete": "no" if row.end_ts is None else "yes",
        "legs": str(legs),
    }


def said_of_details(details: Details) -> dict[str, str]:
    """Write details as the page does: several texts with a space between them, `none` for no text at all."""
    values = {name: _text(value) for name, value in msgspec.structs.asdict(details).items()}
    return values | {
        "recordings": " ".join(details.recordings) or "none",
        "voicemail": {True: "yes", False: "no", None: "NULL"}[details.voicemail],
        "vars": " ".join(f"{name}={value}" for name, value in details.vars.items()) or "none",
    }


def _text(value: object) -> str:
    return "NULL" if value is None else str(value)


def read_call(text: str) -> tuple[list[Leg], FoldSettings]:
    """Read a call: what each of its events states of its leg, in order, and the settings that it names."""
    environment: dict[str, Any] = {}
    owners: dict[str, str] = {}
    legs: list[list[str]] = []
    for piece in text.split("; "):
        words = shlex.split(piece)
        if words[0].startswith("TOLLBOOK_"):
            name, _, value = words[0].removeprefix("TOLLBOOK_").partition("=")
            environment[name.lower()] = value
        elif len(words) == 3 and words[1] == "owns":
            owners[owner_key(words[2])] = words[0]
        else:
            legs.append(words)
    settings = Settings(database_url=SecretStr("postgresql://"), **environment)
    headers = header_names(
        settings.account_variable, settings.parent_variable, settings.direction_variable, settings.variables
    )
    ids: list[str] = []
    stated = [leg for words in legs for leg in _stated(words, ids, headers)]
    return stated, FoldSettings(trunk_rules=settings.trunk_rules, number_owners=owners)


def _stated(words: list[str], ids: list[str], names: dict[str, str]) -> list[Leg]:
    """Return what the events of a leg state of it. `ids`: those of the legs before it, to which its own is added."""
    kind, *rest = words
    at: list[float | None] = [0 if kind in _ROOTS else 1, 5, 65]
    seconds = 0
    while rest and re.fullmatch(r"−?[\d.]+|-", rest[0]):
        word = rest.pop(0)
        at[seconds] = None if word == "-" else float(word.replace("−", "-"))
        seconds += 1
    created_us, answered_us, ended_us = (START_US + round((second or 0) * SECOND_US) for second in at)
    flags = {word for word in rest if "=" not in word}
    assert flags <= _FLAGS, flags - _FLAGS
    number = 1 + sum(known.rstrip("0123456789") == kind for known in ids)
    stated = {"id": kind if number == 1 else f"{kind}{number}", **(_ROOTS | _CHILDREN)[kind]}
    of_phase: dict[str, dict[str, str]] = {"": stated, "create": {}, "end": {}}
    for word in rest:
        if "=" in word:
            name, _, value = word.partition("=")
            phase, _, header = name.rpartition(":")
            of_phase[phase].pop("originator" if header == "of" else "", None)
            of_phase[phase][header] = value
    ids.append(stated["id"])

    def leg(name: str, at_us: int, phase: str = "") -> Leg | None:
        values = stated | of_phase[phase]
        headers = {
            "Core-UUID": "core",
            "Hangup-Cause": "NORMAL_CLEARING" if phase == "end" else "",
            "Caller-ANI": values["from"],
            "Caller-Channel-Created-Time": str(created_us),
            "Caller-Channel-Answered-Time": "0" if at[1] is None or phase == "create" else str(answered_us),
            "Caller-Channel-Progress-Time": str(created_us + 1) if "rang" in flags else "0",
            "Caller-Channel-Hangup-Time": str(ended_us) if phase == "end" else "0",
            "variable_recovered": "true" if "recovered" in flags else "",
        }
        for header, value in values.items():
            filled = value.replace("ROOT", ids[0]).replace("DIALLED", values["dialled"])
            headers[_HEADERS.get(header, header if header[0].isupper() else f"variable_{header}")] = filled
        headers |= {"Event-Name": name, "Event-Date-Timestamp": str(at_us)}
        return leg_of(event_from_headers(headers, headers_of(name, names)), SWITCH)

    create, end = leg("CHANNEL_CREATE", created_us, "create"), leg("CHANNEL_HANGUP_COMPLETE", ended_us, "end")
    if "file" in flags:
        return [_of_file(create, end)]
    heard = [
        None if "unheard" in flags else create,
        None if at[1] is None else leg("CHANNEL_ANSWER", answered_us),
        None if at[2] is None or "lost" in flags else end,
    ]
    known = [of_event for of_event in heard if of_event is not None]
    return [*known, end_as_lost(merge_all(known).popitem()[1], ended_us)] if "lost" in flags else known


def _of_file(create: Leg | None, end: Leg | None) -> Leg:
    """Return what the CDR file of a leg states of it."""
    assert create is not None
    assert create.create is not None
    assert end is not None
    assert end.end is not None
    begun = msgspec.structs.replace(create.create, source=FROM_CDR_FILE)
    return msgspec.structs.replace(end, create=begun, end=msgspec.structs.replace(end.end, source=FROM_CDR_FILE))
