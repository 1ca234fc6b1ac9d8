"""Hours, days and months of a time zone as ranges of epoch ms: what the calls of a time are counted in.

Each begins at a moment of its own, so the hour that a clock shows twice is two hours, the one that it skips is none,
and the days of the two switches have 23 and 25 hours.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from tollbook.times import MS_PER_HOUR

Unit: TypeAlias = Literal["hour", "day", "month"]


def starts(unit: Unit, zone: ZoneInfo, since: int, until: int) -> Iterator[int]:
    """Yield when each begins that has a moment of [since, until), oldest first; the first may begin before `since`.

    All in epoch ms, of years that Python's calendar has room around.
    """
    if since >= until:
        return
    at, following = _FIRST[unit](_local(since, zone)), _FOLLOWING[unit]
    while at < until:
        after = following(at, zone)
        # Not so: a day that a whole country skipped, and an hour that a switch of half an hour has cut short.
        if since < after and at < after:
            yield at
        at = after


def label(unit: Unit, zone: ZoneInfo, start: int) -> str:
    """Name an hour, a day or a month as ISO 8601 does: `2026-03-29T03:00+02:00`, `2026-03-29`, `2026-03`."""
    local = _local(start, zone)
    if unit == "hour":
        return local.isoformat(timespec="minutes")
    # A day that the switch begins at 1 o'clock is of that date all the same.
    return f"{local:%Y-%m-%d}" if unit == "day" else f"{local:%Y-%m}"


def _local(at: int, zone: ZoneInfo) -> dt.datetime:
    return (dt.datetime.fromtimestamp(at // 1000, dt.UTC)).astimezone(zone)


def _midnight(day: dt.date, zone: dt.tzinfo | None) -> int:
    # Where the clock skips midnight this is the moment of the switch, and where it shows it twice the first.
    return int(dt.datetime.combine(day, dt.time(), zone).timestamp()) * 1000


def _hour(local: dt.datetime) -> int:
    return (int(local.timestamp()) - local.minute * 60 - local.second) * 1000


def _next_hour(at: int, zone: ZoneInfo) -> int:
    # By the clock as it goes in this hour: where it is set, it is set at the end of one.
    return _hour(_local(at, zone)) + MS_PER_HOUR


def _next_day(at: int, zone: ZoneInfo) -> int:
    return _midnight(_local(at, zone).date() + dt.timedelta(days=1), zone)


def _next_month(at: int, zone: ZoneInfo) -> int:
    # 31 days after the 1st is the next month, whichever it is.
    return _midnight((_local(at, zone).date() + dt.timedelta(days=31)).replace(day=1), zone)


_FIRST: Final[dict[Unit, Callable[[dt.datetime], int]]] = {
    "hour": _hour,
    "day": lambda local: _midnight(local.date(), local.tzinfo),
    "month": lambda local: _midnight(local.date().replace(day=1), local.tzinfo),
}
_FOLLOWING: Final[dict[Unit, Callable[[int, ZoneInfo], int]]] = {
    "hour": _next_hour,
    "day": _next_day,
    "month": _next_month,
}
