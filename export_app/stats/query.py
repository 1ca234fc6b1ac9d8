"""What `GET /v1/stats` can be asked for, and what a query means at a moment."""

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.calls.filters import FilterQuery
from export_app.stats import periods
from export_app.web.errors import ApiError
from export_app.web.parameters import (
    MAX_LIMIT,
    EpochMs,
    Limit,
    names_hint,
    quoted,
    without_default,
)
from tollbook.times import MS_PER_DAY

UNITS: Final[tuple[periods.Unit, ...]] = ("hour", "day", "month")
# The column of each group that is not a period of time.
COLUMN_OF: Final = {
    "account": "account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue": "queue_id",
    "agent": "agent_id",
    "prefix": "prefix",
}
GROUPS: Final = (*UNITS, *COLUMN_OF)
MAX_GROUPINGS: Final = 2
MAX_PERIODS: Final = 1000  # the hours of 41 days, and a little more
MAX_WINDOW_MS: Final = 366 * MS_PER_DAY
DEFAULT_WINDOW_MS: Final = 30 * MS_PER_DAY
DEFAULT_GROUPS: Final = 1000

_ONE = f"({'|'.join(GROUPS)})"
_GROUP_BY: Final = f"^{_ONE}(,{_ONE}){{0,{MAX_GROUPINGS - 1}}}$"
_DIGITS: Final = re.compile(r"[1-9]|1[0-5]")


def _groups(value: str) -> str:
    names = value.split(",")
    for name in names:
        if name not in GROUPS:
            raise PydanticCustomError(
                "group", "cannot be {name}: {hint}", {"name": quoted(name), "hint": names_hint(name, GROUPS)}
            )
    if len(names) > MAX_GROUPINGS:
        raise PydanticCustomError("groups", "takes two at most, such as day,disposition")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(value: str) -> str:
    # Checked in the set first: ZoneInfo opens any file that a name leads to.
    if value not in _zones():
        near = difflib.get_close_matches(value, _zones(), n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise PydanticCustomError(
            "zone", "must be a name of the IANA time zone database, such as Europe/Berlin{hint}", {"hint": hint}
        )
    return value


def _digits(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise PydanticCustomError("digits", "must be a whole number from 1 to 15")
    return value


class StatsQuery(FilterQuery):
    """What `GET /v1/stats` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started at or after this time; left out: 30 days before `until`.",
        json_schema_extra=without_default,
    )
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started before this time; left out, or in the future: now.",
        json_schema_extra=without_default,
    )
    group_by: Annotated[str, AfterValidator(_groups)] | SkipJsonSchema[None] = Field(
        default=None,
        description=f"One or two of {', '.join(GROUPS)}, separated by a comma; left out: the total alone.",
        json_schema_extra=lambda schema: (
            schema.update(pattern=_GROUP_BY, example="day,disposition") or without_default(schema)
        ),
    )
    tz: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC",
        description="The time zone of hours, days and months: a name of the IANA time zone database.",
        json_schema_extra={"example": "Europe/Berlin"},
    )
    limit: Limit = Field(
        default=DEFAULT_GROUPS,
        description=f"At most so many groups, by time, then those of most calls first; more than {MAX_LIMIT}"
        f" counts as {MAX_LIMIT}.",
    )
    prefix_digits: Annotated[int, Field(ge=1, le=15), BeforeValidator(_digits)] = Field(
        default=4, description="Of `group_by=prefix`: how many characters of to_num, not counting a leading +."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "StatsQuery":
        if self.since is not None and self.until is not None and self.since > self.until:
            raise PydanticCustomError("order", "since must not be later than until: swap them")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class StatsRequest:
    """What a query asks for: the calls of [since, until), epoch ms, and what to group them by.

    `period_starts`: for each unit of time among `groups`, when its periods begin, epoch ms.
    """

    since: int
    until: int
    zone: ZoneInfo
    groups: tuple[str, ...]
    period_starts: dict[str, list[int]]


def resolve_query(query: StatsQuery, *, now_ms: int, window_start: int) -> StatsRequest:
    """Return what a query asks for; raises ApiError for more hours, days or time than an answer can hold.

    `window_start`: calls before it are in the archive alone, and are not counted.
    """
    until = min(query.until if query.until is not None else now_ms, now_ms)
    since = query.since if query.since is not None else max(0, until - DEFAULT_WINDOW_MS)
    if until - max(since, window_start) > MAX_WINDOW_MS:
        raise ApiError(400, "bad_parameter", "since and until may lie 366 days apart at most: ask for a year at a time")
    since = min(max(since, window_start), until)
    zone = ZoneInfo(query.tz)
    groups = tuple(dict.fromkeys(query.group_by.split(","))) if query.group_by else ()
    period_starts: dict[str, list[int]] = {
        unit: list(periods.starts(unit, zone, since, until)) for unit in UNITS if unit in groups
    }
    for unit, starts in period_starts.items():
        if len(starts) > MAX_PERIODS:
            raise ApiError(
                400,
                "bad_parameter",
                f"group_by={unit} gives {len(starts)} groups here, and {MAX_PERIODS} are the most:"
                " ask for less time, or group by day",
            )
    return StatsRequest(since=since, until=until, zone=zone, groups=groups, period_starts=period_starts)
