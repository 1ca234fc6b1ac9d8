"""The calls of tests/data/esl: the legs that their events state, and the rows that they must give."""

import json
from typing import Any

from tests.paths import CALLS
from tollbook.model.event import event_from_headers, header_names
from tollbook.model.leg import Leg, leg_of
from tollbook.simulator.recording import load

NAMES = sorted(folder.name for folder in CALLS.iterdir())
SWITCH = "fs-lab"


def recorded_legs(name: str) -> list[Leg]:
    """What each event of a recording states about its leg, in the order of the wire; not merged."""
    headers = header_names()
    events = (
        event_from_headers(
            {key.decode(): value.decode("utf-8", "replace") for key, value in recorded.event.headers}, headers
        )
        for recorded in load(CALLS / name).events
    )
    return [leg for event in events if (leg := leg_of(event, SWITCH))]


def recorded_rows(name: str) -> list[dict[str, Any]]:
    """The rows that a recording must give, in the order of their keys."""
    rows = json.loads((CALLS / name / "rows.json").read_text())
    return sorted(rows, key=lambda row: (row["start_ts"], row["call_id"]))
