"""The listener stands still for a minute while a switch goes on: FreeSWITCH's own bound of 100,000 events is met."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tollbook.demo.freshen import CallTemplate, FreshCall
from tollbook.demo.recording import load
from tollbook.demo.thread import SwitchThread
from tollbook.model.row import COLUMNS

CALLS = Path(__file__).parents[1] / "data" / "esl" / "calls"
# With few legs and small CDR files, for there will be tens of thousands of them.
NAMES = ("answer_caller_hangs_up", "bridge_loopback", "fail_busy", "outbound_486_busy", "outbound_answered")
RECORDINGS = [load(CALLS / name) for name in NAMES]

STALL_S = 60.0
# 24 events of each round of these five are for us: 120,000, more than the queue takes, and drops, and the sockets hold.
COUNT = 25_000
BEFORE = 50
UP = 20

Start = Callable[..., Any]
Key = tuple[str, int]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the switch's mod_json_cdr writes some 300 MB, which pytest would keep for three sessions."""
    made = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    yield made
    shutil.rmtree(made)


def found(url: str) -> dict[Key, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM call_cdr").fetchall()
    assert not [row["call_id"] for row in rows if row["estimated"]]
    return {
        (row["call_id"], row["start_ts"]): {
            **{column: row[column] for column in COLUMNS if column != "cost_micros"},
            "parts": [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []],
        }
        for row in rows
    }


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.1)


def test_a_minute_of_standing_still(start: Start, database_url: str, folder: Path) -> None:
    """The switch queues 100,000 events, drops 500, cuts. What began unheard is looked for, the rest recovered."""
    wanted: dict[Key, dict[str, Any]] = {}

    def note(call: FreshCall) -> None:
        wanted.update({(row["call_id"], row["start_ts"]): row for row in call.rows})

    recording = load(CALLS / "outbound_answered")
    end = next(index for index, event in enumerate(recording.events) if event.name == b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(json_cdr_dir=folder) as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.play_unpaced(RECORDINGS, count=BEFORE, on_begin=note)
        stopped = time.monotonic()
        listener.process.send_signal(signal.SIGSTOP)
        try:
            template = CallTemplate(recording)
            up = [template.fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid) for _ in range(UP)]
            for call in up:
                note(call)
                switch.emit(call, range(end))
            playing = switch.start_playing_unpaced(RECORDINGS, count=COUNT, on_begin=note)
            wait_until(lambda: switch.overflows == 1)
            playing.result(200)
            time.sleep(max(0.0, stopped + STALL_S - time.monotonic()))
        finally:
            listener.process.send_signal(signal.SIGCONT)
        switch.wait_for_subscriber(60)
        # Those that are up were created in the silence: only a look tells of them.
        wait_until(
            lambda: (
                {(row["call_id"], row["start_ts"]) for call in up for row in call.rows} <= found(database_url).keys()
            )
        )
        for call in up:
            switch.emit(call, range(end, len(recording.events)))
        switch.play_unpaced(RECORDINGS, count=BEFORE, on_begin=note)
        assert len(found(database_url)) < len(wanted) / 2, "little went unheard"
        recover = start("recover", str(folder))
        assert recover.process.wait(300) == 0, recover.output
        assert listener.stop() == 0, listener.output
    assert "Traceback" not in listener.output
    assert "no heartbeat" not in listener.output
    rows = found(database_url)
    assert len(rows) == len(wanted)
    assert [key for key, row in wanted.items() if rows.get(key) != row][:5] == []
