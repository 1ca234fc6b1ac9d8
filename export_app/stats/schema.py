"""What `GET /v1/stats` answers with, as the OpenAPI document shows it."""

from typing import Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from export_app.web.schema import ResponseModel, without_default
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
    "wait_ms": 412000,
    "wait_calls": 40,
    "ring_ms": 310500,
    "ring_calls": 96,
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
_QUEUE: Final[dict[str, JsonValue]] = {
    "calls": 61,
    "open": 1,
    "offered": 60,
    "answered": 51,
    "overflowed": 3,
    "abandoned": 6,
    "abandon_rate": 0.1,
    "asa_ms": 9200.0,
    "longest_wait_ms": 93100,
    "service_level": 0.75,
    "talk_ms": 9180000,
    "talk_calls": 51,
    "aht_ms": 180000.0,
    "billsec": 10140,
    "minutes": 169.0,
    "unrated": 0,
    "cost": [{"currency": "EUR", "cost_micros": 0}],
    "wait_ms": 960000,
    "wait_calls": 60,
    "ring_ms": 0,
    "ring_calls": 0,
}
_QUEUE_GROUP: Final[dict[str, JsonValue]] = {"queue_id": "support", **_QUEUE}


class Cost(ResponseModel):
    """What the calls of one currency cost."""

    currency: str | None = Field(description="ISO 4217; null: priced before currencies were kept.")
    cost_micros: int = Field(description="Millionths of the currency.")


class SharedSums(ResponseModel):
    """What all sums of calls have."""

    calls: int = Field(description="Calls that started, including those still up.")
    open: int = Field(description="Calls that are still up: they count for nothing but `calls`.")
    billsec: int = Field(description="Seconds from answer to end, in total.")
    minutes: float = Field(description="billsec / 60: talked, not charged.")
    unrated: int = Field(description="Complete calls without a price: they are in no cost below.")
    cost: list[Cost] = Field(description="One for each currency: they are never added.")
    wait_ms: int = Field(description="Waited in queues, in total.")
    wait_calls: int = Field(description="Calls that waited in a queue: those in `wait_ms`.")
    ring_ms: int = Field(description="Rung, in total.")
    ring_calls: int = Field(description="Calls of which it is known how long they rang: those in `ring_ms`.")


class Sums(SharedSums):
    """What calls add up to. An average is null where there is nothing to divide by."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _SUMS})

    answered: int = Field(description="Complete calls that were answered.")
    asr: float | None = Field(description="Answered calls per complete call, 0 to 1.")
    acd_sec: float | None = Field(description="billsec per answered call.")


class QueueFigures(SharedSums):
    """What calls of queues add up to, where a queue or an agent is grouped by or asked for. Answered is by an agent."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _QUEUE})

    offered: int = Field(description="Complete calls of a queue: answered, overflowed and abandoned ones.")
    answered: int = Field(description="Of these, calls that an agent took.")
    overflowed: int = Field(description="Calls that no agent took, but somebody else, before or after the queue.")
    abandoned: int = Field(description="Calls that nobody took: hung up, timed out, or left to an announcement.")
    abandon_rate: float | None = Field(description="Abandoned calls per offered call, 0 to 1.")
    asa_ms: float | None = Field(description="Average speed of answer: how long answered calls waited.")
    longest_wait_ms: int | None = Field(description="The longest wait of an offered call.")
    service_level: float | None = Field(
        description="Calls answered within `sl_s` seconds per offered call whose wait is known, 0 to 1."
    )
    talk_ms: int = Field(description="Talked by agents, in total.")
    talk_calls: int = Field(description="Answered calls whose talk is known: those in `talk_ms`.")
    aht_ms: float | None = Field(description="Average handle time: talk_ms per call of `talk_calls`, holds included.")


class GroupValues(ResponseModel):
    """The values that calls were grouped by. A group has only the members that `group_by` names."""

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
    prefix: str | None = None


class QueueGroupValues(GroupValues):
    """The same where calls of queues are grouped, or trunk legs."""

    queue_id: str | None = None
    agent_id: str | None = None


class Group(Sums, GroupValues):
    """A group: the values that it was grouped by, and its sums. It has only the members that `group_by` names."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _GROUP})


class QueueGroup(QueueFigures, QueueGroupValues):
    """A group of a question about queues."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _QUEUE_GROUP})


class GatewayGroup(QueueGroupValues):
    """A group by `gateway`: what its trunk legs add up to, each with its own figures and not those of its call."""

    gateway: str | None = Field(description="Null: trunk legs that name no gateway.")
    legs: int = Field(description="Trunk legs of complete calls. A call that went over two gateways counts with each.")
    answered: int = Field(description="Of these, legs that were answered.")
    asr: float | None = Field(description="Answered legs per leg, 0 to 1.")
    pdd_ms: float | None = Field(
        description="From a leg's own creation until it rang, sent early media or was answered: the average of"
        " `pdd_legs`."
    )
    pdd_legs: int = Field(description="Legs that did.")
    rx_mos: float | None = Field(
        description="Mean opinion score, 1 to 5, of what the switch received from the carrier: the average of"
        " `mos_legs`."
    )
    mos_legs: int = Field(description="Legs that have one: five seconds of media at least.")


class Stats(ResponseModel):
    """The sums of all selected calls, and of each group."""

    ok: Literal[True]
    from_ts: int = Field(description="Calls were counted from this time, epoch ms.")
    until_ts: int = Field(description="Calls were counted until this time, epoch ms.")
    tz: str
    sl_s: int = Field(
        default=20,
        description="The service level in seconds, present where the figures are those of queues.",
        json_schema_extra=without_default,
    )
    periods_ts: list[int] = Field(
        default=[],
        description="When each hour, day or month of the time begins, epoch ms, those without calls, too; present where"
        " calls are grouped by one of these.",
        json_schema_extra=without_default,
    )
    total: Sums | QueueFigures
    groups: list[Group | QueueGroup | GatewayGroup] = Field(
        description="By time, then those of most calls first. Grouped by time alone: periods without calls, too."
    )
    more: bool = Field(description="There are more groups than `limit`; the total is of all.")
