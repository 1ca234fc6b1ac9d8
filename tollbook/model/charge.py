"""What an answered call is charged for, and what each charge costs."""

from typing import Final

import msgspec

from tollbook.model.doubts import Doubt
from tollbook.model.vocabulary import Direction

#: Why a call is unrated that is known from the archive alone, which does not hold the reason.
UNKNOWN_REASON: Final = "archived without the reason"

#: Why a call is unrated that was imported (docs/import.md). Such a call is in no statement.
BILLED_ELSEWHERE: Final = "imported: the system that it comes from has billed it"


class Charge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that an answered call is charged for: `seconds` to `number`."""

    direction: Direction
    number: str
    seconds: int


class PricedCharge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A charge with its price, and the rate that gave it.

    `billed_sec` is what increments make of `seconds`. `digits` is the number as prefixes were compared with it: E.164
    where the account has a numbering plan. `rate` is the rate's name; it is kept for ever under `rate_id`. `version` is
    that of the plan `plan` which brought it. Without a rate `cost_micros` is 0 where the plan does not price the
    direction, and None where the charge is unrated.
    """

    direction: Direction
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
    def charge(self) -> Charge:
        """The charge alone, to price it again."""
        return Charge(direction=self.direction, number=self.number, seconds=self.seconds)


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a call costs, and what for. `cost_micros` is None when the call is unrated, and `unrated` has the reason.

    `currency` is that of the plan in force at the call's start; None without a plan. Amounts of two currencies are
    never added. `destination` is the name of the rate of the longest charge that one priced, of the first of
    equally long ones.
    """

    cost_micros: int | None
    parts: tuple[PricedCharge, ...]
    unrated: str | None = None
    currency: str | None = None
    destination: str | None = None
    doubts: tuple[Doubt, ...] = ()
