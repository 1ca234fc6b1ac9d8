"""A time in a query: whole milliseconds since 1970, or ISO 8601 with its offset from UTC. Pure."""

import datetime as dt
import re
from typing import Any, Final

from pydantic_core import PydanticCustomError

from tollbook.times import LAST_MS

# What is as likely a time in seconds, of the years 2001 to 5138, and as milliseconds of the first weeks of 1970 to the
# third year after them, from when nobody has calls.
_SECONDS: Final = range(10**9, 10**11)
_DIGITS: Final = re.compile(r"[0-9]{1,1000}")
_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
# A + that a client did not encode arrives as a space.
_LOST_PLUS: Final = re.compile(r"[0-9-]{10}[Tt][0-9:.]+ [0-9]{2}:?[0-9]{2}")

#: What the OpenAPI document says of a time. The hole in the integers is what `epoch_ms` refuses as seconds.
TIME_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {
            "type": "integer",
            "minimum": 0,
            "maximum": LAST_MS,
            "not": {"minimum": _SECONDS.start, "maximum": _SECONDS.stop - 1},
        },
        {"type": "string", "format": "date-time"},
    ],
    "example": 1767225600000,
}


def epoch_ms(value: object) -> object:
    """Return the milliseconds that a text says; raises PydanticCustomError for a text that is no time.

    An ISO time before 1970, or after the year 9999, becomes the first or the last time there is: no call is beyond it.
    A fraction of a millisecond is dropped. What is no text is returned as it is.
    """
    if not isinstance(value, str):
        return value
    # 1000 digits are more than any time has, and fewer than Python refuses to parse.
    if _DIGITS.fullmatch(value) and value.isascii():
        number = int(value)
        if number in _SECONDS:
            raise PydanticCustomError(
                "seconds",
                "must be in milliseconds, and {seconds} looks like seconds: write {ms}",
                {"seconds": number, "ms": number * 1000},
            )
        return number
    if found := _ISO.fullmatch(value):
        return _of_iso(*found.groups())
    if _LOST_PLUS.fullmatch(value):
        raise PydanticCustomError("plus", "has a space where its offset begins: in a URL a + is written %2B")
    raise PydanticCustomError(
        "no_time",
        "must be a time in whole milliseconds since 1970, such as 1767225600000, or in ISO 8601 with its offset, such"
        " as 2026-01-01T00:00:00Z",
    )


def _of_iso(year: str, date: str, minutes: str, second: str | None, fraction: str | None, offset: str) -> int:
    # 23:59:60 is a leap second, which epoch time does not count; RFC 3339 allows it.
    leap = second == "60"
    written = f"{max(year, '0001')}-{date}T{minutes}:{'59' if leap else second or '00'}{offset.upper()}"
    try:
        moment = dt.datetime.fromisoformat(written)
    except ValueError:
        raise PydanticCustomError("no_day", "is no time of any day: its month, day, hour, minute or offset") from None
    seconds = (moment.replace(tzinfo=None) - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1) + leap  # noqa: DTZ001 - its offset comes off below
    offset_s = (moment.utcoffset() or dt.timedelta()) // dt.timedelta(seconds=1)
    return min(max((seconds - offset_s) * 1000 + int((fraction or "0").ljust(3, "0")[:3]), 0), LAST_MS)
