"""What `GET /v1/stats` answers with, as the OpenAPI document shows it."""

from typing import Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from export_app.web.schema import ResponseModel
from tollbook.model.vocabulary import Direction, Disposition

_SUMS: Final[dict[str, JsonValue]] = {
    "calls": 120,
    "open": 2,
    "answered": 59,
    "asr": 0.5,
    "billsec": 5310,
    "acd_sec": 90.0,
    "minutes": 88.5,
    "unrated": 0,
    "cost": [{"currency": "EUR", "cost_micros": 1062000}],
}
_GROUP: Final[dict[str, JsonValue]] = {
    "day": "2026-03-29",
    "day_ts": 1774738800000,
    "disposition": "answered",
    **_SUMS,
    "calls": 59,
    "open": 0,
    "asr": 1.0,
}


class Cost(ResponseModel):
    """What the calls of one currency cost."""

    currency: str | None = Field(description="ISO 4217; null: priced before currencies were kept.")
    cost_micros: int = Field(description="Millionths of the currency.")


class Sums(ResponseModel):
    """What calls add up to. An average is null where there is nothing to divide by."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _SUMS})

    calls: int = Field(description="Calls that started, including those still up.")
    open: int = Field(description="Calls that are still up: they count for nothing but `calls`.")
    answered: int = Field(description="Complete calls that were answered.")
    asr: float | None = Field(description="Answered calls per complete call, 0 to 1.")
    billsec: int = Field(description="Seconds from answer to end, in total.")
    acd_sec: float | None = Field(description="billsec per answered call.")
    minutes: float = Field(description="billsec / 60: talked, not charged.")
    unrated: int = Field(description="Complete calls without a price: they are in no cost below.")
    cost: list[Cost] = Field(description="One for each currency: they are never added.")


class Group(Sums):
    """A group: the values that it was grouped by, and its sums. It has only the members that `group_by` names."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _GROUP})

    hour: str = Field(default="", description="In the time zone, with its offset from UTC: 2026-03-29T03:00+02:00.")
    hour_ts: int = Field(default=0, description="When it begins, epoch ms.")
    day: str = Field(default="", description="In the time zone: 2026-03-29.")
    day_ts: int = Field(default=0, description="When it begins, epoch ms.")
    month: str = Field(default="", description="In the time zone: 2026-03.")
    month_ts: int = Field(default=0, description="When it begins, epoch ms.")
    account_id: str | None = None
    direction: Direction | None = None
    disposition: Disposition | None = Field(default=None, description="Null: the calls that are up.")
    hangup_cause: str | None = None
    queue_id: str | None = None
    agent_id: str | None = None
    prefix: str | None = None


class Stats(ResponseModel):
    """The sums of all selected calls, and of each group."""

    ok: Literal[True]
    from_ts: int = Field(
        description="Calls were counted from this time, epoch ms: later than `since` if that lies in the archive,"
        " which is not counted."
    )
    until_ts: int = Field(description="Calls were counted until this time, epoch ms.")
    tz: str
    total: Sums
    groups: list[Group] = Field(
        description="By time, then those of most calls first. Grouped by time alone: periods without calls, too."
    )
    more: bool = Field(description="There are more groups than `limit`; the total is of all.")
