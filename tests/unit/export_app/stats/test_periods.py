"""Hours, days and months of a time zone, at both switches and where clocks do odder things."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.stats.periods import Unit, label, starts
from tollbook.times import MS_PER_DAY


def ms(moment: str) -> int:
    return int(dt.datetime.fromisoformat(moment).timestamp()) * 1000


def labels(unit: Unit, zone: str, since: str, until: str) -> list[str]:
    place = ZoneInfo(zone)
    return [label(unit, place, start) for start in starts(unit, place, ms(since), ms(until))]


@pytest.mark.parametrize(
    ("zone", "since", "until", "wanted"),
    [
        # Europe's clocks go from 2 to 3: there is no hour 2.
        ("Europe/Berlin", "2026-03-28T23:30Z", "2026-03-29T02:00Z", "00:00+01:00 01:00+01:00 03:00+02:00"),
        # And from 3 back to 2: there are two.
        ("Europe/Berlin", "2026-10-24T23:30Z", "2026-10-25T02:00Z", "01:00+02:00 02:00+02:00 02:00+01:00"),
        ("America/New_York", "2026-03-08T06:00Z", "2026-03-08T08:00Z", "01:00-05:00 03:00-04:00"),
        ("Asia/Kolkata", "2026-10-03T14:10Z", "2026-10-03T16:00Z", "19:00+05:30 20:00+05:30 21:00+05:30"),
        # Half an hour is what Lord Howe's clocks are set by.
        ("Australia/Lord_Howe", "2026-04-04T14:10Z", "2026-04-04T16:00Z", "01:00+11:00 01:30+10:30 02:00+10:30"),
        ("Australia/Lord_Howe", "2026-04-04T15:15Z", "2026-04-04T15:16Z", "01:30+10:30"),
        ("Australia/Lord_Howe", "2026-10-03T14:40Z", "2026-10-03T16:10Z", "01:00+10:30 02:30+11:00 03:00+11:00"),
        ("UTC", "2026-03-29T01:00Z", "2026-03-29T02:00Z", "01:00+00:00"),
        ("UTC", "2026-03-29T01:00Z", "2026-03-29T01:00Z", ""),
    ],
)
def test_hours_are_those_that_the_clock_shows(zone: str, since: str, until: str, wanted: str) -> None:
    """The hour skipped is not there, the hour shown twice is there twice, told apart by the distance from UTC."""
    assert [text[11:] for text in labels("hour", zone, since, until)] == wanted.split()


@pytest.mark.parametrize(
    ("zone", "since", "until", "wanted"),
    [
        ("Europe/Berlin", "2026-03-27T23:00Z", "2026-03-30T22:00Z", "28 29 30"),
        ("Europe/Berlin", "2026-03-27T22:59Z", "2026-03-29T22:00Z", "27 28 29"),
        # Cairo's clocks skip midnight, Havana's show it twice, and Samoa went to bed on the 29th and rose on the 31st.
        ("Africa/Cairo", "2026-04-22T22:00Z", "2026-04-24T22:00Z", "23 24 25"),
        ("America/Havana", "2026-10-31T04:00Z", "2026-11-03T05:00Z", "31 01 02"),
        ("Pacific/Apia", "2011-12-29T10:00Z", "2012-01-01T10:00Z", "29 31 01"),
    ],
)
def test_days_are_those_of_the_calendar(zone: str, since: str, until: str, wanted: str) -> None:
    """Whatever the clock does at midnight."""
    assert [text[8:] for text in labels("day", zone, since, until)] == wanted.split()


def test_the_days_of_the_switches_have_23_and_25_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    found = list(starts("day", zone, ms("2026-03-28T00:00+01:00"), ms("2026-10-27T00:00+01:00")))
    hours = {label("day", zone, start): (after - start) / 3_600_000 for start, after in pairwise(found)}
    assert {day: length for day, length in hours.items() if length != 24} == {"2026-03-29": 23, "2026-10-25": 25}


def test_months_begin_at_the_time_zone_s_midnight() -> None:
    assert labels("month", "Europe/Berlin", "2026-01-31T23:00Z", "2027-01-01T00:00Z") == [
        *(f"2026-{month:02}" for month in range(2, 13)),
        "2027-01",
    ]


@given(
    unit=st.sampled_from(["hour", "day", "month"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
    since=st.integers(ms("2020-01-01T00:00Z"), ms("2030-01-01T00:00Z")),
    length=st.integers(1, 100 * MS_PER_DAY),
)
def test_spans_hold_every_moment_once(unit: Unit, zone: str, since: int, length: int) -> None:
    """The first holds `since`, they ascend, the last begins before `until`, and each begins where its name says."""
    place = ZoneInfo(zone)
    found = list(starts(unit, place, since, since + length))
    assert found[0] <= since
    assert all(start > since for start in found[1:])
    assert all(start < after for start, after in pairwise(found))
    assert found[-1] < since + length
    names = [label(unit, place, start) for start in found]
    assert len(set(names)) == len(names)
