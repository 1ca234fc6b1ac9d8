"""Rates: what a minute towards numbers with a prefix costs. The columns of the table `rate`, in their order."""

import msgspec

from tollbook.model.vocabulary import Direction


class RateTerms(msgspec.Struct, frozen=True, gc=False):
    """What a minute towards numbers with `prefix` costs, from `valid_from_ts` until before `valid_to_ts` (epoch ms).

    Money is in micros of the plan's currency. `increment_sec` follows on `first_increment_sec`: 60/60, 30/6, 1/1 are
    first/next. Positional in the order of the columns: a million of them are made from rows of the database.
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
    """Terms in a plan: `version` is the one of the plan that brought them. A rate never changes, it is replaced."""

    rate_id: int
    version: int
    plan_id: str
