"""The calls of tests/data/esl: the legs that their events state, and the rows that they must give."""

import json
from pathlib import Path
from typing import Any

from tests.paths import CALLS
from tollbook.model.event import event_from_headers, header_names
from tollbook.model.event_kinds import headers_of
from tollbook.model.leg import Leg, leg_of
from tollbook.simulator.recording import load

NAMES = sorted(folder.name for folder in CALLS.iterdir())
SWITCH = "fs-lab"


def recorded_legs(name: str) -> list[Leg]:
    """What each event of a recording states about its leg, in the order of the wire; not merged."""
    return legs_in(CALLS / name)


def legs_in(folder: Path) -> list[Leg]:
    """What each event of a folder's plain.esl states about its leg."""
    headers = header_names()
    events = (
        event_from_headers(
            {key.decode(): value.decode("utf-8", "replace") for key, value in recorded.event.headers},
            headers_of(recorded.name.decode(), headers),
        )
        for recorded in load(folder).events
    )
    return [leg for event in events if (leg := leg_of(event, SWITCH))]


def recorded_rows(name: str) -> list[dict[str, Any]]:
    """The rows that a recording must give, in the order of their keys."""
    return rows_in(CALLS / name)


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder's rows.json."""
    rows = json.loads((folder / "rows.json").read_text())
    return sorted(rows, key=lambda row: (row["start_ts"], row["call_id"]))
