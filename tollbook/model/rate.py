"""Rates: what a minute to numbers with a prefix costs. The columns of the table `rate`, in their order."""

from typing import Final, LiteralString

import msgspec

from tollbook.model.vocabulary import Direction

#: The columns of `rate` in the order of the fields of Rate.
RATE_COLUMNS: Final[tuple[LiteralString, ...]] = (
    "direction",
    "prefix",
    "per_min_micros",
    "connection_fee_micros",
    "increment_sec",
    "first_increment_sec",
    "valid_from_ts",
    "valid_to_ts",
    "name",
    "rate_id",
    "version",
    "plan_id",
)


class RateTerms(msgspec.Struct, frozen=True, gc=False):
    """What a minute to numbers with `prefix` costs, from `valid_from_ts` until before `valid_to_ts` (epoch ms).

    Money is in micros of the plan's currency. Increments are first/next: 60/60, 30/6, 1/1. The fields are positional,
    in the order of the columns, because a million of them are made from rows of the database.
    """

    direction: Direction
    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    increment_sec: int
    first_increment_sec: int
    valid_from_ts: int
    valid_to_ts: int | None
    name: str


class Rate(RateTerms, frozen=True, gc=False):
    """The terms in a plan. `version` is the plan's version that brought them. A rate never changes: it is replaced."""

    rate_id: int
    version: int
    plan_id: str
