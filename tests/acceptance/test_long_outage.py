"""Ten minutes without PostgreSQL at 200 calls a second: all 120,000 calls, played as fast as they can be read."""

import re
from pathlib import Path

import pytest

from tests.acceptance.metrics import Metrics
from tests.acceptance.played import RECORDINGS, Calls, wrong_rows
from tests.acceptance.server import Server
from tests.commands import Start
from tollbook.simulator.thread import SwitchThread

COUNT = 10 * 60 * 200
# What an outage of that length may take of the disk, a record an event (a third of the default TOLLBOOK_SPOOL_MAX), and
# of memory.
MOST_SPOOL_BYTES = 320 * 1024 * 1024
MOST_MEMORY_KB = 200 * 1024


@pytest.fixture
def database_url(server: Server) -> str:
    """A fresh, migrated database on the server that the tests stop."""
    return server.fresh_database()


def peak_memory_kb(pid: int) -> int:
    """Return the peak memory of a process."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


@pytest.mark.soak  # the short one is test_outage.py
def test_ten_minutes_at_200_calls_a_second(start: Start, server: Server, database_url: str, metrics: Metrics) -> None:
    """Down before the first of 120,000 calls, up after the last: each is there once and right; disk and memory hold."""
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        server.stop()
        calls.play_unpaced(COUNT, timeout_s=400)
        metrics.wait_until_spooled()
        spool_bytes, events = metrics["spool_bytes"], metrics["events_total"]
        assert metrics["legs_spooled_total"] > COUNT
        assert metrics["spool_full"] == 0
        assert spool_bytes < MOST_SPOOL_BYTES
        server.start()
        metrics.wait_until_written(timeout_s=200)
        memory_kb = peak_memory_kb(listener.process.pid)
        assert memory_kb < MOST_MEMORY_KB
        listener.end()
    assert "nothing can be spooled" not in listener.output
    assert len(calls.rows) >= COUNT
    assert list(wrong_rows(database_url, calls.rows))[:5] == []
    figures = f"{events:.0f} events, spool {spool_bytes / 1e6:.0f} MB, memory {memory_kb / 1e3:.0f} MB"
    print(figures)  # noqa: T201 - those of docs/reliability.md, with pytest -rP
