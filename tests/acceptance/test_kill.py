"""`kill -9` of the listener: what ended while nobody listened comes from the switch's own CDR files."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.paths import CALLS
from tollbook.model.record import COLUMNS
from tollbook.simulator.freshen import FreshCall
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

# Every recording whose legs all have a CDR file, as the switch writes them with log-b-leg.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())

CALLS_PER_S = 20.0
SEED = 20261123

Start = Callable[..., Any]


def found(url: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM call_cdr").fetchall()
    return {
        row["call_id"]: {
            **{column: row[column] for column in COLUMNS if column != "cost_micros"},
            "parts": [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []],
        }
        for row in rows
    }


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.soak)])
def test_kills_and_the_same_rows(start: Start, database_url: str, tmp_path: Path, kills: int) -> None:
    """Killed at random points of a stream of calls, started again each time, the rows are the same."""
    dice = random.Random(SEED)
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    wanted: dict[str, dict[str, Any]] = {}

    def note(call: FreshCall) -> None:
        wanted.update({row["call_id"]: row for row in call.rows})

    recordings = [load(CALLS / name) for name in NAMES]
    with SwitchThread(json_cdr_dir=folder, heartbeat_s=1.0) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        playing = switch.start_playing_at_rate(
            recordings, calls_per_s=CALLS_PER_S, count=100_000, speed=4.0, on_begin=note
        )
        for _ in range(kills):
            time.sleep(dice.uniform(0, 0.6))
            assert listener.stop(signal.SIGKILL) == -signal.SIGKILL
            listener = start("listen", esl=switch.url)
            listener.wait_for("listening")
        playing.cancel()
        begun = set(wanted)
        ended = sum(1 for _ in folder.glob("*.json"))
        recover = start("recover", str(folder))
        assert recover.process.wait(120) == 0, recover.output
        assert f"recovered: {ended} files read" in recover.output
        assert listener.stop() == 0, listener.output
    assert len(begun) > kills * 5
    rows = found(database_url)
    complete = {call_id: row for call_id, row in rows.items() if row["end_ts"] is not None}
    assert complete == {call_id: wanted[call_id] for call_id in complete}
    assert set(rows) == begun, "a call is missing, or there is one that nobody made"
    assert len(complete) > len(begun) // 2
