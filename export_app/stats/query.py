"""What `GET /v1/stats` can be asked for, and what a query means at a moment."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final
from zoneinfo import ZoneInfo

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
    ZoneName,
    names_hint,
    quoted,
    whole_number,
)
from export_app.web.window import check_order, window_of
from tollbook.model.queue_sums import SERVICE_LEVEL_S

UNITS: Final[tuple[periods.Unit, ...]] = ("hour", "day", "month")
# The column of each group that is not a period of time.
COLUMN_OF: Final = {
    "account": "account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue": "queue_id",
    "agent": "agent_id",
    "destination": "destination",
    "prefix": "prefix",
    "gateway": "gateway",
}
GROUPS: Final = (*UNITS, *COLUMN_OF)
_OF_QUEUES: Final = frozenset(("queue", "agent"))
MAX_GROUPINGS: Final = 2
MAX_PERIODS: Final = 1000  # the hours of 41 days, and a little more
DEFAULT_GROUPS: Final = 1000

_ONE = f"({'|'.join(GROUPS)})"
_GROUP_BY: Final = f"^{_ONE}(,{_ONE}){{0,{MAX_GROUPINGS - 1}}}$"
# What to group by instead; of months there are never too many.
_COARSER: Final = {"hour": "day", "day": "month", "month": "month"}
MAX_SL_S: Final = 86_400

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


def _digits(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise PydanticCustomError("digits", "must be a whole number from 1 to 15")
    return value


ServiceLevel = Annotated[
    int, Field(ge=0, le=MAX_SL_S), BeforeValidator(whole_number(f"a number of seconds from 0 to {MAX_SL_S}"))
]


class StatsQuery(FilterQuery):
    """What `GET /v1/stats` can be asked for."""

    since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started at or after this time; left out: 30 days before `until`.",
    )
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started before this time; left out, or in the future: now.",
    )
    group_by: Annotated[str, AfterValidator(_groups)] | SkipJsonSchema[None] = Field(
        default=None,
        description=f"One or two of {', '.join(GROUPS)}, separated by a comma; left out: the total alone."
        " `gateway` is for operators' keys, unless TOLLBOOK_TENANTS_SEE_CARRIERS is set.",
        json_schema_extra={"pattern": _GROUP_BY, "example": "day,disposition"},
    )
    tz: ZoneName = Field(
        default="UTC",
        description="The time zone of hours, days and months: a name of the IANA time zone database; left out: UTC.",
        json_schema_extra={"example": "Europe/Berlin"},
    )
    limit: Limit = Field(
        default=DEFAULT_GROUPS,
        description=f"At most so many groups, by time, then those of most calls first; left out: {DEFAULT_GROUPS};"
        f" more than {MAX_LIMIT} counts as {MAX_LIMIT}.",
    )
    prefix_digits: Annotated[int, Field(ge=1, le=15), BeforeValidator(_digits)] = Field(
        default=4,
        description="Of `group_by=prefix`: how many characters of to_num, not counting a leading +; left out: 4.",
    )
    sl_s: ServiceLevel = Field(
        default=SERVICE_LEVEL_S,
        description="Of questions about queues: within how many seconds of waiting a call should be answered; left"
        f" out: {SERVICE_LEVEL_S}.",
    )

    @property
    def about_queues(self) -> bool:
        """Whether the answer has the figures of queues: a queue or an agent is what is grouped by, or asked for."""
        asked_for = (self.queue_id, self.agent_id) != (None, None)
        return asked_for or not _OF_QUEUES.isdisjoint(self.group_names)

    @property
    def group_names(self) -> tuple[str, ...]:
        """What the calls are grouped by, each once."""
        return tuple(dict.fromkeys(self.group_by.split(","))) if self.group_by else ()

    @model_validator(mode="after")
    def _in_order(self) -> "StatsQuery":
        check_order(self.since, self.until)
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


def resolve_query(query: StatsQuery, *, now_ms: int) -> StatsRequest:
    """Return what a query asks for; raises ApiError for more hours or days than an answer can hold."""
    since, until = window_of(query.since, query.until, now_ms=now_ms)
    zone = ZoneInfo(query.tz)
    groups = query.group_names
    period_starts: dict[str, list[int]] = {
        unit: list(islice(periods.starts(unit, zone, since, until), MAX_PERIODS + 1))
        for unit in UNITS
        if unit in groups
    }
    for unit, starts in period_starts.items():
        if len(starts) > MAX_PERIODS:
            raise ApiError(
                400,
                "bad_parameter",
                f"group_by={unit} gives more than {MAX_PERIODS} groups here, which are the most:"
                f" ask for less time, or group by {_COARSER[unit]}",
            )
    return StatsRequest(since=since, until=until, zone=zone, groups=groups, period_starts=period_starts)
