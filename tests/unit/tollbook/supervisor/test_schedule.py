"""When a timer runs next."""

import datetime as dt
import os
import time
from collections.abc import Iterator

import pytest

from tollbook.supervisor.schedule import Daily, Interval

PRUNE = Daily(hour=2, minute=0, utc=True, spread_s=3600)
COMPACT = Daily(hour=3, minute=30, utc=False, spread_s=0)


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows the time of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    os.environ.pop("TZ", None)
    time.tzset()


def test_an_interval_counts_from_the_end_of_a_run() -> None:
    """However long it took: no run begins while another one is at work."""
    every = Interval(first_s=30, again_s=300)
    assert every.due_s(begun_s=1000, last_s=None, ended_s=None, chance=0.9) == 1030
    assert every.due_s(begun_s=1000, last_s=1030, ended_s=5000, chance=0.9) == 5300


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, "2026-11-30 02:00"),
        ("2026-11-29 02:10", "2026-11-30 02:00"),
        ("2026-11-29 01:59:59", "2026-11-29 02:00"),
        ("2026-11-20 02:10", "2026-11-21 02:00"),
    ],
)
def test_a_day_is_missed_by_none(last: str | None, due: str) -> None:
    """A group that begins after a missed time has that time as its next, which is now."""
    begun_s = utc("2026-11-29 12:00")
    found = PRUNE.due_s(begun_s=begun_s, last_s=None if last is None else utc(last), ended_s=None, chance=0)
    assert found == utc(due)


def test_the_moment_is_random_within_the_spread() -> None:
    begun_s = utc("2026-11-29 12:00")
    assert PRUNE.due_s(begun_s=begun_s, last_s=None, ended_s=None, chance=0.5) == utc("2026-11-30 02:30")


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-11-29 12:00", "2026-11-30 02:30"),
        ("2026-07-01 12:00", "2026-07-02 01:30"),
        ("2026-10-24 12:00", "2026-10-25 02:30"),
        ("2026-03-28 12:00", "2026-03-29 01:30"),
    ],
)
def test_the_machine_s_own_time_is_its_own_in_summer_and_winter(after: str, due: str) -> None:
    """Half past three in the morning, also on the days of 25 and of 23 hours."""
    assert COMPACT.due_s(begun_s=utc(after), last_s=None, ended_s=None, chance=0) == utc(due)
