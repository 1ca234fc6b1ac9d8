"""Times as people write them, ISO 8601, and as the database has them, epoch ms; days count from 1970-01-01. All UTC."""

import datetime as dt
import time
from typing import Final

SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 24 * SECONDS_PER_HOUR
MS_PER_HOUR: Final = 1000 * SECONDS_PER_HOUR
MS_PER_DAY: Final = 1000 * SECONDS_PER_DAY
US_PER_MS: Final = 1000
US_PER_SECOND: Final = 1_000_000
US_PER_DAY: Final = US_PER_MS * MS_PER_DAY

# A time before 2000 or from 2100 on counts as not set: it would ask for a partition of an absurd day.
CLOCK_FROM_US: Final = 946_684_800 * US_PER_SECOND
CLOCK_UNTIL_US: Final = 4_102_444_800 * US_PER_SECOND

# The end of the year 9999: a greater number of milliseconds is more likely one of microseconds.
LAST_MS: Final = 253_402_300_799_999

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS = dt.timedelta(milliseconds=1)


def clock_us(us: int) -> int:
    """Return a time of the switch's clock, epoch µs; 0, which is "not set", for one before 2000 or from 2100 on."""
    return us if CLOCK_FROM_US <= us < CLOCK_UNTIL_US else 0


def current_day() -> int:
    """Return the number of the present day."""
    return int(time.time()) // SECONDS_PER_DAY


def date_of(day: int) -> dt.date:
    """Return the date of a day's number."""
    return _EPOCH.date() + dt.timedelta(days=day)


def day_of(date: dt.date) -> int:
    """Return the number of a date's day."""
    return (date - _EPOCH.date()).days


def instant(text: str) -> int:
    """Parse a time in ISO 8601, UTC unless it has an offset; raise ValueError that says how one is written."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time like 2026-12-01 or 2026-12-01T00:00:00+01:00") from None
    # In integers: timestamp() is a float, whose milliseconds can come out one too few.
    return ((when if when.tzinfo else when.replace(tzinfo=dt.UTC)) - _EPOCH) // _MS


def written(at_ms: int) -> str:
    """Write a time so that `instant` reads it back: a date where it is midnight."""
    when = _EPOCH + at_ms * _MS
    if not (when.hour or when.minute or when.second or when.microsecond):
        return f"{when.date()}"
    return when.isoformat(timespec="milliseconds" if when.microsecond else "seconds").replace("+00:00", "Z")
