"""When legs leave the memory for the disk, and when they stay."""

import logging
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from esl_listener.inbox import Inbox
from esl_listener.metrics import Metrics
from esl_listener.spool import Spool, open_own_spool
from esl_listener.spooler import Spooler
from tollbook.log import Outage
from tollbook.model.leg import Leg


def spooled(folder: Path, legs: int, *, away: bool, max_bytes: int = 1 << 30) -> tuple[int, int, str]:
    """Put so many legs into an inbox for 400; return how many are in memory and on disk then, and the alarm."""
    inbox, metrics, spool = Inbox(max_legs=400), Metrics(), Spool(folder, max_bytes)
    spool.open()
    spooler = Spooler(inbox, spool, metrics, folder, Outage(logging.getLogger("tollbook.test")))
    for number in range(legs):
        inbox.put(Leg(switch="fs", uid=str(number), created_us=1))
    asked, decided = 0, Event()

    def is_away() -> bool:
        nonlocal asked
        asked += 1
        if asked > 1:  # what the first answer led to is done
            decided.set()
        return away

    running = gevent.spawn(spooler.run, is_away)
    assert decided.wait(20)
    running.kill()
    spool.close()
    return len(inbox), metrics.legs_spooled, spooler.problem


def test_a_healthy_database_costs_no_disk(tmp_path: Path) -> None:
    assert spooled(tmp_path, 100, away=False) == (100, 0, "")


def test_an_outage_moves_everything(tmp_path: Path) -> None:
    assert spooled(tmp_path, 100, away=True) == (0, 100, "")


def test_a_slow_database_fills_a_quarter_of_the_memory_then_the_disk(tmp_path: Path) -> None:
    assert spooled(tmp_path, 101, away=False) == (0, 101, "")


def test_what_the_disk_refuses_stays_in_memory(tmp_path: Path) -> None:
    left, moved, problem = spooled(tmp_path, 100, away=True, max_bytes=1_000)
    assert (left, moved) == (100, 0)
    assert problem == "TOLLBOOK_SPOOL_MAX is 1000 bytes, and 0 are waiting"


def test_a_quiet_listener_takes_over_what_others_leave_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a start, so that no leg waits for one."""
    monkeypatch.setattr("esl_listener.spooler._ADOPT_EVERY_S", 0.0)
    ours, other = open_own_spool(tmp_path, 1 << 30), open_own_spool(tmp_path, 1 << 30)
    assert other.append([Leg(switch="fs", uid="1", created_us=1)]) == ""
    spooler = Spooler(Inbox(), ours, Metrics(), tmp_path, Outage(logging.getLogger("tollbook.test")))
    running = gevent.spawn(spooler.run, lambda: False)
    other.close()
    with gevent.Timeout(20):
        while not spooler.waiting:
            gevent.sleep(0.01)
    segment = spooler.take()
    assert segment is not None
    assert [one.uid for one in segment.legs] == ["1"]
    running.kill()
    ours.close()
