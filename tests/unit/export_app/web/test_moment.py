"""A time is epoch ms or ISO 8601, and nothing that could be read in two ways."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from export_app.web.moment import epoch_ms
from tollbook.times import LAST_MS

MIDNIGHT = 1767225600000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-01-01T00:00:00Z", MIDNIGHT),
        ("2026-01-01t00:00:00z", MIDNIGHT),
        ("2026-01-01T00:00Z", MIDNIGHT),
        ("2026-01-01T01:00:00+01:00", MIDNIGHT),
        ("2025-12-31T19:00:00-0500", MIDNIGHT),
        ("2026-01-01T00:00:00.5Z", MIDNIGHT + 500),
        ("2026-01-01T00:00:00.123999999Z", MIDNIGHT + 123),
        ("2025-12-31T23:59:60Z", MIDNIGHT),
        ("0000-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59.999-23:59", LAST_MS),
        ("0001-01-01T00:00:00+23:59", 0),
        (str(10**9 - 1), 10**9 - 1),
        (str(10**11), 10**11),
        ("0", 0),
    ],
)
def test_a_time_is_read(text: str, ms: int) -> None:
    """To the millisecond; what lies outside the times that calls can have is the first or the last of them."""
    assert epoch_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01", "2026-01-01T00:00:00", "2026-W01-1T00:00:00Z", "20260101T000000Z", "2026-13-01T00:00:00Z",
        "2026-01-01T24:01:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00 01:00",
        "٢٠٢٦-01-01T00:00:00Z", "1767225600", "1000000000", "99999999999", "", "now", "-1", "1e12",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """A day alone has no zone, a time without an offset neither; and ten digits are seconds."""
    with pytest.raises(PydanticCustomError):
        epoch_ms(text)


@given(st.datetimes(dt.datetime(1970, 1, 2), timezones=st.timezones()))  # noqa: DTZ001 - Hypothesis adds the zone
def test_what_python_writes_is_read(moment: dt.datetime) -> None:
    """Every time that isoformat writes with whole minutes of an offset."""
    if (moment.utcoffset() or dt.timedelta()).seconds % 60 == 0:
        exact = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
        assert epoch_ms(moment.isoformat()) == min(exact, LAST_MS)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,12}(Z|[+-][0-9]{2}:[0-9]{2})"))
def test_nothing_but_its_error_is_raised(text: str) -> None:
    """Any text is a time that calls can have, or the error that says what to write."""
    try:
        value = epoch_ms(text)
    except PydanticCustomError:
        return
    assert isinstance(value, int)
    assert value >= 0
