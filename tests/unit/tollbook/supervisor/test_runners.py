"""Services and timers by their clocks: what is killed, and what is due."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tollbook.supervisor.schedule import Daily
from tollbook.supervisor.service_runner import ServiceRunner
from tollbook.supervisor.table import Service, Timer
from tollbook.supervisor.timer_runner import TimerRunner

LISTEN = Service(name="listen", arguments=("listen",), start_s=600, watchdog_s=30, stop_s=180)
NIGHTLY = Timer(name="prune", arguments=("prune",), schedule=Daily(hour=2, minute=0, utc=True, spread_s=0), limit_s=60)
DAY_S = 86_400
NOWHERE = Path("/dev/null/timers")  # no run is noted there


class Started:
    """A command that runs, and what it was sent."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.sent: list[signal.Signals] = []

    def send(self, number: signal.Signals) -> None:
        self.sent.append(number)

    def close(self) -> None:
        pass


def start(child: Started) -> Any:
    return lambda *_: child


def test_a_service_is_not_killed_for_what_the_group_did_not_hear_while_it_was_stopped() -> None:
    """After `docker pause`, the signs of life of the last minute were not sent, or wait unread."""
    child = Started()
    runner = ServiceRunner(LISTEN, start(child))
    for tenth in range(100):
        runner.step(tenth / 10)
    runner.heard("READY=1", 10.0)
    runner.step(10.0)
    runner.step(75.0)
    assert child.sent == []
    runner.step(75.5)
    runner.heard("WATCHDOG=1", 75.6)
    now_s = 76.0
    while now_s < 105:
        runner.step(now_s)
        now_s += 0.5
    assert child.sent == []
    runner.step(106.0)
    assert child.sent == [signal.SIGKILL]


def test_a_clock_that_is_set_back_by_years_stops_no_daily_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the machine began with a wrong clock, and NTP put it right later."""
    now_s = 30 * 365.0 * DAY_S
    monkeypatch.setattr(time, "time", lambda: now_s)
    child = Started()
    runner = TimerRunner(NIGHTLY, start(child), NOWHERE)
    runner.step()
    now_s = 20 * 365.0 * DAY_S
    runner.step()
    assert runner.child is None
    now_s += DAY_S
    runner.step()
    assert runner.child is not None
