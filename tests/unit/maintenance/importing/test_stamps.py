"""The times of records: epochs, offsets, and a zone that repeats an hour and leaves one out."""

from zoneinfo import ZoneInfo

import pytest

from maintenance.importing.stamps import NoZone, StampReader, Times
from tollbook.errors import DataError

BERLIN = StampReader(zone=ZoneInfo("Europe/Berlin"))
SECOND = 1_000_000
# 2025-10-26 02:30:00 in Berlin, in summer time; an hour later the clock shows it again.
FIRST = 1_761_438_600


def stamps(start: str, answer: str, end: str, duration: str = "", billsec: str = "") -> dict[str, str]:
    return {
        "start_stamp": start, "answer_stamp": answer, "end_stamp": end, "duration": duration, "billsec": billsec,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "us"),
    [
        ({"start_uepoch": "1790000000123456"}, 1_790_000_000_123_456),
        ({"start_epoch": "1790000000"}, 1_790_000_000_000_000),
        ({"start_epoch": "1790000000.00"}, 1_790_000_000_000_000),
        ({"start_epoch": "1790000000123"}, 1_790_000_000_123_000),
        ({"start_stamp": "2026-09-21 14:13:20+00"}, 1_790_000_000_000_000),
        ({"start_stamp": "2026-09-21T16:13:20+02:00"}, 1_790_000_000_000_000),
        ({"start_stamp": "2026-09-21 14:13:20.5Z"}, 1_790_000_000_500_000),
        ({"start_stamp": "2026-09-21 16:13:20"}, 1_790_000_000_000_000),  # Berlin
        ({"start_epoch": "1790000000", "start_stamp": "2020-01-01 00:00:00"}, 1_790_000_000_000_000),
        ({"start_epoch": "", "start_stamp": "2026-09-21 16:13:20"}, 1_790_000_000_000_000),
    ],
)
def test_a_time_is_read_in_each_form(stated: dict[str, str], us: int) -> None:
    """The most exact form that is stated counts."""
    assert BERLIN.read({**stated, "duration": "9"}).start_us == us


def test_an_unanswered_leg_has_no_answer() -> None:
    """FreeSWITCH writes an epoch of 0, and an empty stamp."""
    unanswered = {"start_epoch": "1790000000", "answer_epoch": "0", "answer_stamp": "", "end_epoch": "1790000009"}
    assert BERLIN.read(unanswered).answer_us == 0


def test_without_its_time_an_answer_is_told_by_billsec() -> None:
    """A template may have no answer_stamp."""
    read = BERLIN.read({"start_epoch": "1790000000", "end_epoch": "1790000030", "billsec": "20"})
    assert read.answer_us == 1_790_000_010 * SECOND


@pytest.mark.parametrize(
    ("stated", "times"),
    [
        # One hour and a minute by the clock, one minute in truth: it began in the first hour and ended in the second.
        (stamps("2025-10-26 02:30:00", "", "2025-10-26 02:30:30", "30"), (FIRST, FIRST + 30, True)),
        (stamps("2025-10-26 02:30:00", "", "2025-10-26 02:30:30", "3630"), (FIRST, FIRST + 3630, False)),
        (stamps("2025-10-26 02:59:50", "", "2025-10-26 02:00:10", "20"), (FIRST + 1790, FIRST + 1810, False)),
        (stamps("2025-10-26 01:59:00", "", "2025-10-26 02:30:00", "1860"), (FIRST - 1860, FIRST, False)),
        (stamps("2025-10-26 01:59:00", "", "2025-10-26 02:30:00", "5460"), (FIRST - 1860, FIRST + 3600, False)),
        (stamps("2025-10-26 02:30:00", "", "2025-10-26 03:30:00", "3600"), (FIRST + 3600, FIRST + 7200, False)),
    ],
)
def test_the_doubled_hour_is_told_apart_by_the_duration(stated: dict[str, str], times: tuple[int, int, bool]) -> None:
    """Where both hours fit, the first is taken, and said so."""
    start, end, doubled = times
    assert BERLIN.read(stated) == Times(start * SECOND, 0, end * SECOND, doubled)


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        (stamps("2025-03-30 02:30:00", "", "2025-03-30 03:30:00", "0"), "does not exist in Europe/Berlin"),
        (stamps("", "", "2025-03-30 03:30:00"), "no time at which it began"),
        (stamps("2025-03-30 04:30:00", "", ""), "no time at which it ended"),
        (stamps("2025-03-30 04:30:00", "", "2025-03-30 04:29:00"), "ended before it began"),
        (stamps("2025-03-30 04:30:00", "2025-03-30 04:31:00", "2025-03-30 04:30:30"), "ended before it began"),
        (stamps("30/03/2025 04:30", "", "2025-03-30 04:31:00"), "no time like"),
        (stamps("1970-01-01 01:00:00", "", "2025-03-30 04:31:00"), "before 2000"),
        (stamps("123", "", "2025-03-30 04:31:00"), "neither seconds, ms nor"),
        (stamps("１７９０００００００", "", "2025-03-30 04:31:00"), "no time like"),
    ],
)
def test_a_bad_time_is_refused_with_its_reason(stated: dict[str, str], problem: str) -> None:
    """The record, and nothing else, is refused."""
    with pytest.raises(DataError, match=problem):
        BERLIN.read(stated)


def test_a_time_without_a_zone_needs_one() -> None:
    """To guess UTC would shift every call."""
    with pytest.raises(NoZone, match="--timezone Europe/Berlin"):
        StampReader().read(stamps("2025-03-30 04:30:00", "", "2025-03-30 04:31:00"))
