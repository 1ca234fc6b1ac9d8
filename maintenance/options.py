"""The values of command-line options."""

import datetime as dt

from tollbook.errors import UsageError
from tollbook.times import day_of, instant


def time_option(text: str) -> int:
    """Parse a time in ISO 8601, UTC unless it has an offset, into epoch ms; raise UsageError."""
    try:
        return instant(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def day_option(text: str) -> int:
    """Parse a date in ISO 8601 into days since 1970-01-01; raise UsageError."""
    try:
        return day_of(dt.date.fromisoformat(text))
    except ValueError:
        raise UsageError(f"{text!r} is not a day like 2026-12-01") from None
