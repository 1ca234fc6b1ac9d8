"""The calls of tests/data/esl/details: what became of each, measured from SIP messages, packets and files on disk."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from esl_listener.decoder import Decoder
from tests.paths import DETAILS
from tests.recorded import SWITCH, rows_in
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN, Frame, Framer
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, leg_of, merge_all
from tollbook.model.record import Row
from tollbook.simulator.recording import load
from tollbook.store.calls.batch_plan import plan_batch
from tollbook.store.calls.legs import Related

NAMES = sorted(folder.name for folder in DETAILS.iterdir())
# The switch's clock steps by 20 ms, and it notes the end of a hold a quarter of a second after the re-INVITE.
DELAY_MS = 60
HOLD_END_MS = 300
_DELAYS = ("pdd_ms", "ring_ms", "wait_ms")


@dataclass(frozen=True, kw_only=True)
class RecordedCalls:
    """What a recording must give: rows, in the order of their keys, and the details of each row, by call_id.

    `variables`: those that the dialplan or a caller set on purpose.
    """

    rows: list[dict[str, Any]]
    details: dict[str, dict[str, Any]]
    variables: tuple[str, ...]


@cache
def recorded(name: str) -> RecordedCalls:
    """Return what a recording must give."""
    folder = DETAILS / name
    details = {stated.pop("call_id"): stated for stated in json.loads((folder / "details.json").read_text())}
    variables = {variable for stated in details.values() for variable in stated["vars"]}
    return RecordedCalls(rows=rows_in(folder), details=details, variables=tuple(sorted(variables)))


@cache
def legs_heard(name: str, form: str = "plain") -> tuple[Leg, ...]:
    """Return what each event of a recording states about its leg, in the order of the wire; not merged.

    `form`: plain, json, or tolerant: JSON as it is read where the fast way refuses it.
    """
    decoder = Decoder("accountcode", "cdr_parent", variables_kept=recorded(name).variables)
    if form == "plain":
        frames: Iterable[Frame] = Framer().feed((DETAILS / name / "plain.esl").read_bytes())
        events = [decoder.decode(EVENT_PLAIN, frame.body) for frame in frames]
    else:
        raw = b"".join(event.json for event in load(DETAILS / name).events)
        bodies = [frame.body for frame in Framer().feed(raw)]
        events = [
            decoder._tolerant(body) if form == "tolerant" else decoder.decode(EVENT_JSON, body) for body in bodies
        ]
    return tuple(leg for event in events if (leg := leg_of(event, SWITCH)))


def rows_of(legs: Iterable[Leg]) -> list[Row]:
    """Return the rows of legs, as a batch makes them, in the order of their keys."""
    plan = plan_batch(merge_all(legs), Related(counted={}), FoldSettings(), _free)
    return sorted((row for row, _ in plan.rows), key=lambda row: row.key)


def _free(_: Row) -> Price:
    return Price(cost_micros=0, parts=())


def row_values(row: Row, like: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row that `like` has, in its form."""
    parts = [[part.direction, part.number, part.seconds] for part in row.parts or ()]
    return {name: parts if name == "parts" else getattr(row, name) for name in like}


def wrong_details(row: Row, truth: Mapping[str, Any], *, holds: int = 2) -> dict[str, tuple[Any, Any]]:
    """Return the details that differ from the truth by more than a switch can know: what the row has, and the truth.

    `holds`: how often somebody resumed a call that was on hold, each time with an error of its own.
    """
    stated = msgspec.structs.asdict(row.details)
    wrong: dict[str, tuple[Any, Any]] = {}
    for field, true in truth.items():
        has = list(stated[field]) if field == "recordings" else stated[field]
        if field == "sip_status" and true is not None:
            true = int(true)
        near = DELAY_MS if field in _DELAYS else HOLD_END_MS * holds if field == "hold_ms" else 0
        if has != true and (not near or has is None or true is None or abs(has - true) > near):
            wrong[field] = (has, true)
    return wrong


def cdr_paths(name: str) -> list[Path]:
    """Return the files that mod_json_cdr wrote for the legs of a recording."""
    return sorted((DETAILS / name / "json_cdr").iterdir())
