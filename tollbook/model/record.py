"""The public record: 16 columns, one row per call."""

import msgspec

COLUMNS = (
    "call_id",
    "account_id",
    "direction",
    "from_num",
    "to_num",
    "start_ts",
    "answer_ts",
    "end_ts",
    "duration_sec",
    "billsec",
    "answered",
    "disposition",
    "hangup_cause",
    "queue_id",
    "agent_id",
    "cost_micros",
)


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that an answered call is charged for: `seconds` towards `number`."""

    direction: str
    number: str
    seconds: int


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call as its legs tell it, unpriced. Times are epoch ms; what only the end decides is None before it."""

    switch: str
    call_id: str
    account_id: str | None
    direction: str
    from_num: str
    to_num: str
    start_ts: int
    answer_ts: int | None
    end_ts: int | None
    duration_sec: int | None
    billsec: int | None
    answered: int
    disposition: str | None
    hangup_cause: str | None
    queue_id: str | None
    agent_id: str | None
    estimated: bool
    parts: tuple[Part, ...] | None

    @property
    def key(self) -> tuple[str, int]:
        """The key of the row in both tiers: a switch can reuse an id for a later call."""
        return (self.call_id, self.start_ts)


class PricedPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A part with its price: `billed_sec` after increments, and the rate that gave it.

    `digits` is the number as prefixes were compared with it, E.164 where the account has a numbering plan. `rate` is
    the rate's name, `version` the one of the plan `plan` that brought it; it is kept for ever under `rate_id`.
    Without a rate `cost_micros` is 0 where the plan leaves the direction unpriced, None where it is unrated.
    """

    direction: str
    number: str
    seconds: int
    cost_micros: int | None
    billed_sec: int | None = None
    digits: str | None = None
    rate_id: int | None = None
    rate: str | None = None
    plan: str | None = None
    version: int | None = None

    @property
    def part(self) -> Part:
        """What was priced, to price it again."""
        return Part(direction=self.direction, number=self.number, seconds=self.seconds)


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a call costs, part by part. `cost_micros` is None, with the reason in `unrated`, when it is unrated.

    `currency` is that of the plan in force at the call's start, None without a plan. Amounts of two currencies are
    never added.
    """

    cost_micros: int | None
    parts: tuple[PricedPart, ...]
    unrated: str | None = None
    currency: str | None = None
