"""A leg from FreeSWITCH's own names for what it knows of one: the columns of CSV templates and of tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from maintenance.importing.stamps import StampReader
from tollbook.errors import DataError
from tollbook.model.event import cut_text, event_from_headers, tidy_text
from tollbook.model.leg import IMPORTED, Leg, facts_of, leg_of
from tollbook.model.notes import Notes
from tollbook.model.numbers import digits_of, number_of

# The fields of a caller profile, and what else is no variable of the channel.
_HEADERS: Final = {
    "Unique-ID": ("uuid",),
    "Channel-Name": ("channel_name", "chan_name"),
    "Call-Direction": ("direction",),
    "Caller-Caller-ID-Number": ("caller_id_number",),
    "Caller-ANI": ("ani",),
    "Caller-Destination-Number": ("destination_number",),
    "Hangup-Cause": ("hangup_cause",),
    "FreeSWITCH-Switchname": ("switchname",),
    "Core-UUID": ("core_uuid", "core-uuid"),
}
# The name of a variable that is read, and other columns that state the same.
_ALIASES: Final = {"sip_network_ip": ("network_addr",), "rtp_use_codec_name": ("read_codec",)}
_LONG_NUMBER: Final = 7


class LeftOut(Exception):
    """A record says nothing of any call: an unanswered b-leg that does not say whose it is."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the records of a run do not say. `headers`: from `tollbook.model.event.header_names`.

    `switch`: who made the records that name none. `billed_elsewhere`: their calls are not to be priced. Calls of the
    contexts `outside` come from there.
    """

    headers: Mapping[str, str]
    stamps: StampReader
    switch: str
    billed_elsewhere: bool
    outside: frozenset[str] = frozenset(("public",))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLeg:
    """A leg, the id of its own b-leg where it names one, and whether its hour came twice."""

    leg: Leg
    bleg: str = ""
    doubled: bool = False


def leg_of_variables(
    values: Mapping[str, str], reading: Reading, *, first_dialed: str = "", recording: str = ""
) -> ReadLeg:
    """Return the leg that a record states; raise DataError if it states none, and NoZone.

    `first_dialed`: what it dialled when it was created, where that is known beside the last destination. `recording`: a
    file in which it was recorded.
    """
    if not values.get("uuid"):
        raise DataError("it has no uuid")
    times = reading.stamps.read(values)
    stated = {f"variable_{name}": value for name, value in values.items() if value}
    for name, others in _ALIASES.items():
        stated.setdefault(f"variable_{name}", next(filter(None, map(values.get, others)), ""))
    stated |= {header: next(filter(None, map(values.get, names)), "") for header, names in _HEADERS.items()}
    stated["FreeSWITCH-Switchname"] = stated["FreeSWITCH-Switchname"] or reading.switch
    made_for = values.get("originator") or values.get("originating_leg_uuid") or values.get("cc_side") == "agent"
    stated["Call-Direction"] = stated["Call-Direction"] or ("outbound" if made_for else "inbound")
    stated |= {
        "Event-Name": "CHANNEL_HANGUP_COMPLETE",
        "Event-Date-Timestamp": str(times.end_us),
        "Caller-Channel-Created-Time": str(times.start_us),
        "Caller-Channel-Answered-Time": str(times.answer_us),
        "Caller-Channel-Hangup-Time": str(times.end_us),
    }
    if stated["Call-Direction"] == "inbound":
        stated |= _arrival(values, reading.outside)
    ended = event_from_headers(stated, reading.headers)
    # Read once: a third of the time of an import is the reading of headers.
    created = msgspec.structs.replace(ended, dialed=cut_text(tidy_text(first_dialed))) if first_dialed else ended
    leg = leg_of(ended, ended.switchname)
    if leg is None or leg.end is None:
        raise DataError("its uuid is longer than 256 bytes")
    leg = msgspec.structs.replace(
        leg,
        create=facts_of(created, IMPORTED),
        end=msgspec.structs.replace(leg.end, source=IMPORTED),
        noted=Notes(recordings=(recording,)) if recording else None,
    )
    return ReadLeg(leg=leg, bleg=values.get("bleg_uuid", ""), doubled=times.doubled)


def _arrival(values: Mapping[str, str], outside: frozenset[str]) -> dict[str, str]:
    """Return what tells a call of one's own phone from one that came from outside: its context, or its direction.

    A CDR of mod_cdr_csv names no user and, without rows of b-legs, no trunk. So of a call of a phone to a number of 7
    digits or more it is taken that it left, as docs/calls.md has it of a leg that was sent there.
    """
    direction, context = values.get("call_direction", ""), values.get("context", "")
    if values.get("user_name") or values.get("channel_name"):
        return {}
    own = direction in ("local", "outbound") if direction else bool(context) and context not in outside
    if not own:
        return {}
    found = {"variable_user_name": values.get("caller_id_number") or "unknown"}
    number = digits_of(number_of(values.get("destination_number", "")))
    if not direction and number and len(number) >= _LONG_NUMBER:
        found["variable_call_direction"] = "outbound"
    return found


def marked(leg: Leg, mark: str, *, billed_elsewhere: bool) -> Leg:
    """Return a leg whose facts say from where it was imported, and whether its call is not to be priced."""
    create, end = (
        facts and msgspec.structs.replace(facts, imported=mark, billed_elsewhere=billed_elsewhere)
        for facts in (leg.create, leg.end)
    )
    return msgspec.structs.replace(leg, create=create, end=end)
