"""Ten minutes without PostgreSQL at 200 calls a second: all 120,000 calls, in as little time as they can be read."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tollbook.demo.freshen import FreshCall
from tollbook.demo.recording import load
from tollbook.demo.thread import SwitchThread
from tollbook.model.row import COLUMNS

CALLS = Path(__file__).parents[1] / "data" / "esl" / "calls"
# Without two whose number dialled names another call's id, which `FreshCall.rows` leaves as it was recorded.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if folder.name not in ("eavesdrop", "pickup"))
RECORDINGS = [load(CALLS / name) for name in NAMES[::3]]

COUNT = 10 * 60 * 200
# What an outage of that length may take: of the disk (a fifth of what TOLLBOOK_SPOOL_MAX is by default), of memory.
MOST_SPOOL_BYTES = 256 * 1024 * 1024
MOST_MEMORY_KB = 200 * 1024

Start = Callable[..., Any]
Key = tuple[str, int]


@pytest.fixture
def database_url(server: Any) -> str:
    """A fresh, migrated database on the server that the test takes away."""
    server.execute("CREATE DATABASE long_outage TEMPLATE migrated")
    return server["long_outage"]


def wrong_rows(url: str, wanted: dict[Key, dict[str, Any]]) -> Iterator[str]:
    """Compare every column of every row, and tell what differs; the rows are read a few at a time."""
    missing = set(wanted)
    with psycopg.connect(url, row_factory=dict_row) as connection, connection.cursor(name="all") as cursor:
        cursor.itersize = 5_000
        cursor.execute("SELECT * FROM call_cdr")
        for row in cursor:
            key = (row["call_id"], row["start_ts"])
            missing.discard(key)
            shown = {column: row[column] for column in COLUMNS if column != "cost_micros"}
            shown["parts"] = [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []]
            if shown != wanted.get(key):
                yield f"{shown} instead of {wanted.get(key)}"
            elif row["estimated"]:
                yield f"{key} is estimated"
    yield from (f"{key} is missing" for key in missing)


def peak_memory_kb(pid: int) -> int:
    """The most memory that a process has held."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def test_ten_minutes_at_200_calls_a_second(start: Start, server: Any, database_url: str, metrics: Any) -> None:
    """Down before the first of 120,000 calls, up after the last: each is there once and right; disk and memory hold."""
    wanted: dict[Key, dict[str, Any]] = {}

    def note(call: FreshCall) -> None:
        wanted.update({(row["call_id"], row["start_ts"]): row for row in call.rows})

    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        server.stop()
        switch.play_unpaced(RECORDINGS, count=COUNT, on_begin=note, timeout_s=400)
        metrics.wait_until_spooled()
        spool_bytes, events = metrics["spool_bytes"], metrics["events_total"]
        assert metrics["legs_spooled_total"] > COUNT
        assert metrics["spool_full"] == 0
        assert spool_bytes < MOST_SPOOL_BYTES
        server.start()
        metrics.wait_until_written(timeout_s=200)
        memory_kb = peak_memory_kb(listener.process.pid)
        assert memory_kb < MOST_MEMORY_KB
        assert listener.stop() == 0, listener.output
    assert "nothing can be spooled" not in listener.output
    assert "Traceback" not in listener.output
    assert len(wanted) >= COUNT
    assert list(wrong_rows(database_url, wanted))[:5] == []
    told = (
        f"{len(wanted)} rows of {events:.0f} events: spool {spool_bytes / 1e6:.0f} MB, memory {memory_kb / 1e3:.0f} MB"
    )
    print(told)  # noqa: T201 - the figures of docs/reliability.md, with pytest -rP
