"""Calls, legs and events for tests and benchmarks, whole by default: name the fields that are to be different."""

from typing import Any, Final, TypeAlias

import msgspec

from tollbook.model.charge import Price, PricedCharge
from tollbook.model.details import NO_DETAILS, Details
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import Facts, Leg, leg_of
from tollbook.model.parent import Parent
from tollbook.model.record import Row

START_MS: Final = 1_790_000_000_123  # 2026-09-21T14:13:20.123Z
START_US: Final = START_MS * 1000
SECOND_US: Final = 1_000_000
FOR_EVER_MS: Final = 4_000_000_000_000

#: A row and its price, as `call_rows.upsert` takes them; a call that is up has none.
Call: TypeAlias = tuple[Row, Price | None]

#: Fields of a row whose call is up, and of one whose callee was busy.
UP: Final = dict.fromkeys(("end_ts", "duration_sec", "billsec", "disposition", "hangup_cause"))
BUSY: Final = {"answer_ts": None, "billsec": 0, "answered": 0, "disposition": "busy", "hangup_cause": "USER_BUSY"}

#: Details in every field; texts hold what JSON, CSV and array literals escape.
DETAILS: Final = Details(
    hung_up_by="callee", pdd_ms=1_240, ring_ms=3_980, wait_ms=12_020, talk_ms=44_480, hold_ms=2**31, rx_mos=4.41,
    codec="PCMA", sip_call_id='8f"4b,c\\3c@192.0.2.7', source_ip="2001:db8::7", gateway="carrier", sip_status=486,
    recordings=("/var/lib/freeswitch/recordings/acme/ü 1.wav", 'b"\n.wav'), voicemail=True,
    vars={"sip_h_X-Campaign": 'spring "24", =1+1', "campaign.id": "ü\\"}, imported="cdr_csv Máster.csv",
)  # fmt: skip


def call_row(call_id: str = "a", account_id: str | None = "acme", start_ts: int = START_MS, **changed: object) -> Row:
    """Return the row of a complete call: outbound, of acme, answered after 4 s, a minute long."""
    fields: dict[str, object] = {
        "switch": "fs1", "call_id": call_id, "account_id": account_id, "direction": "outbound", "from_num": "1001",
        "to_num": "+4930123456", "start_ts": start_ts, "answer_ts": start_ts + 4000, "end_ts": start_ts + 64_000,
        "duration_sec": 64, "billsec": 60, "answered": 1, "disposition": "answered",
        "hangup_cause": "NORMAL_CLEARING", "queue_id": None, "agent_id": None, "estimated": False, "parts": None,
        "details": NO_DETAILS,
    }  # fmt: skip
    return msgspec.convert(fields | changed, Row)


def price_of(
    row: Row, cost_micros: int | None = 21_000, currency: str | None = "EUR", destination: str | None = None
) -> Price | None:
    """Return a price of one charge for a row: unrated without a cost, free if unanswered, None while it is up."""
    if row.end_ts is None:
        return None
    if not row.answered:
        return Price(cost_micros=0, parts=(), currency=currency)
    # At a micro a second: a row that is written again keeps its price as long as it is charged for the same.
    seconds = (row.billsec or 0) if cost_micros is None else cost_micros
    charge = PricedCharge(
        direction=row.direction, number=row.to_num, seconds=seconds, cost_micros=cost_micros, rate="Germany"
    )
    unrated = "no such account" if cost_micros is None else None
    return Price(cost_micros=cost_micros, parts=(charge,), unrated=unrated, currency=currency, destination=destination)


def call(
    call_id: str = "a",
    *where: Any,
    cost_micros: int | None = 21_000,
    destination: str | None = None,
    **changed: Any,
) -> Call:
    """Return a row and its price; `where` and `changed` as of `call_row`."""
    row = call_row(call_id, *where, **changed)
    return row, price_of(row, cost_micros, destination=destination)


def leg(uid: str = "a", *, start_us: int = START_US, end_us: int | None = None, parent: str = "", **facts: Any) -> Leg:
    """Return a leg as it is stored: up or, with `end_us`, ended; a child if `parent` is the id of a leg."""
    above = Parent(uid=parent, named_by="cdr_parent") if parent else None
    stated = {"at_us": start_us, "channel": f"sofia/internal/{uid}", "caller": "1000", "dialed": "1001"}
    create = Facts(**stated | {"parent": above} | facts)
    end = None
    if end_us is not None:
        end = msgspec.structs.replace(create, at_us=end_us, hangup_us=end_us, cause="NORMAL_CLEARING")
    return Leg(switch="fs1", uid=uid, created_us=start_us, core="core", seen_us=start_us, create=create, end=end)


def created(uid: str = "a", *, at_s: float = 0, **facts: Any) -> SwitchEvent:
    """Return the CHANNEL_CREATE of a leg, inbound by default, `at_s` seconds after START_US."""
    at_us = START_US + round(at_s * SECOND_US)
    stated = {
        "name": "CHANNEL_CREATE", "uid": uid, "created_us": at_us, "at_us": at_us, "core": "core",
        "channel_direction": "inbound", "channel": f"sofia/internal/{uid}", "caller": "1000", "dialed": "2000",
    }  # fmt: skip
    return SwitchEvent(**stated | facts)


def ended(create: SwitchEvent, *, hangup_s: float, answered_s: float | None = None, **facts: Any) -> SwitchEvent:
    """Return the CHANNEL_HANGUP_COMPLETE of a leg; times in seconds after START_US."""
    at_us = START_US + round(hangup_s * SECOND_US)
    stated = {"name": "CHANNEL_HANGUP_COMPLETE", "at_us": at_us, "hangup_us": at_us, "cause": "NORMAL_CLEARING"}
    if answered_s is not None:
        stated["answered_us"] = START_US + round(answered_s * SECOND_US)
    return msgspec.structs.replace(create, **stated | facts)


def legs_of(*events: SwitchEvent, switch: str = "fs1") -> list[Leg]:
    """Return what each event states of its leg, as the listener reads it."""
    return [leg for event in events if (leg := leg_of(event, switch))]
