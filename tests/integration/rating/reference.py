"""The rules of docs/rating.md, written a second time from that page alone: slow, plain, and in fractions.

Nothing here comes from the product. A rule that cannot be written from the page is missing from the page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from tests.integration.rating.reference_numbering import digits_of, readings

LARGEST_COST = 9_223_372_036_854_775_807
BEGINNING = -math.inf
FOR_EVER = math.inf

# Direction, number, seconds.
Part: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A line of a deck. Amounts are in the currency's unit; times are epoch ms, None where the line has none."""

    direction: str
    prefix: str
    per_min: Fraction
    fee: Fraction
    first: int
    next: int
    valid_from: int | None
    valid_to: int | None
    name: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Return the direction and prefix, whose rates follow each other."""
        return self.direction, self.prefix

    @property
    def begins(self) -> float:
        """Return the first moment at which it is in force."""
        return BEGINNING if self.valid_from is None else self.valid_from

    @property
    def shown(self) -> str:
        """Return the name that a price has it under."""
        name = self.name or f"{self.direction} {self.prefix}".strip()
        return f"'{name}" if name[0] in "=+-@" else name


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan with its own rates, and the name of its base."""

    currency: str
    base: str | None = None
    rates: tuple[Rate, ...] = ()

    def updated(self, notice: Sequence[Rate]) -> "Plan":
        """Return the plan after an import of a change notice."""
        changes: dict[tuple[str, str], float] = {}
        for line in notice:
            changes[line.key] = min(line.begins, changes.get(line.key, FOR_EVER))
        kept: list[Rate] = []
        for rate in self.rates:
            if rate.key not in changes:
                kept.append(rate)
            elif rate.begins < changes[rate.key]:
                kept.append(replace(rate, valid_to=int(min(self.end(rate), changes[rate.key]))))
        return replace(self, rates=(*kept, *notice))

    def end(self, rate: Rate) -> float:
        """Return the first moment at which a rate is no longer in force."""
        if rate.valid_to is not None:
            return rate.valid_to
        later = [other.begins for other in self.rates if other.key == rate.key and other.begins > rate.begins]
        return min(later, default=FOR_EVER)

    def rate(self, direction: str, digits: str, *, short: bool, at_ms: int) -> Rate | None:
        """Return the plan's own rate for a number or a short code at a time."""
        matching = [
            rate
            for rate in self.rates
            if rate.direction == direction
            and (rate.prefix == digits if short else digits.startswith(rate.prefix))
            and rate.begins <= at_ms < self.end(rate)
        ]
        return max(matching, key=lambda rate: len(rate.prefix), default=None)


@dataclass
class Account:
    """An account: the plan that it is on from each of some moments (None: no plan), and its numbering plan."""

    plans: dict[float, str | None] = field(default_factory=dict[float, str | None])
    numbering: str | None = None

    def plan_at(self, at_ms: float) -> str | None:
        """Return the name of its plan at a time."""
        begun = [moment for moment in self.plans if moment <= at_ms]
        return self.plans[max(begun)] if begun else None

    def assign(self, plan: str | None, from_ms: float, to_ms: float | None = None) -> None:
        """Put the account on a plan from a time, until its plan next changes or until `to_ms`."""
        if to_ms is not None:
            returning = self.plan_at(to_ms)
            self.plans = {moment: name for moment, name in self.plans.items() if not from_ms <= moment < to_ms}
            self.plans[to_ms] = returning
        self.plans[from_ms] = plan


@dataclass(frozen=True)
class PricedPart:
    """The seconds billed, the name of the rate, and the plan that has it; or none of these."""

    billed: int | None = None
    rate: str | None = None
    plan: str | None = None


@dataclass(frozen=True)
class Price:
    """The cost in micros (None: unrated), the currency, and what priced each part."""

    cost: int | None
    currency: str | None
    parts: tuple[PricedPart, ...]


@dataclass
class Reference:
    """All plans and all accounts, and what a call costs."""

    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])

    def price(self, account_id: str | None, at_ms: int, answered: bool, parts: Iterable[Part]) -> Price:
        """Return the price of a call that began at `at_ms`."""
        account = self.accounts.get(account_id) if account_id is not None else None
        plan = account.plan_at(at_ms) if account is not None else None
        currency = self.plans[plan].currency if plan is not None else None
        if not answered:  # rule 1
            return Price(0, currency, ())
        if account is None or plan is None:  # rule 2
            return Price(None, None, tuple(PricedPart() for _ in parts))
        priced = [self._priced(plan, account.numbering, at_ms, *part) for part in parts]
        cost: int | None = 0
        for _, part_cost in priced:  # rule 3
            cost = None if cost is None or part_cost is None else cost + part_cost
        if cost is not None and cost > LARGEST_COST:  # rule 9
            cost = None
        return Price(cost, currency, tuple(part for part, _ in priced))

    def _priced(
        self, plan: str, numbering: str | None, at_ms: int, direction: str, number: str, seconds: int
    ) -> tuple[PricedPart, int | None]:
        """Return what prices a part, and what it costs."""
        chain = self._with_bases(plan)
        if not any(rate.direction == direction for name in chain for rate in self.plans[name].rates):  # rule 4
            return PricedPart(), 0
        if direction == "outbound" and numbering is not None:  # rule 5
            read = readings(numbering, number)
        else:
            digits = digits_of(number)
            read = {(digits, False)} if digits is not None else set[tuple[str, bool]]()
        if len(read) != 1:
            return PricedPart(), None
        ((digits, short),) = read
        for name in chain:  # rule 6
            if rate := self.plans[name].rate(direction, digits, short=short, at_ms=at_ms):
                beyond_first = Fraction(max(seconds, 1) - rate.first, rate.next)
                billed = rate.first + max(0, math.ceil(beyond_first)) * rate.next  # rule 7
                micros = 1_000_000
                cost = rate.fee * micros + math.ceil(billed * rate.per_min * micros / 60)  # rule 8
                assert cost.denominator == 1  # a fee is whole micros
                return PricedPart(billed, rate.shown, name), int(cost)
        return PricedPart(), None

    def _with_bases(self, plan: str) -> list[str]:
        chain = [plan]
        while (base := self.plans[chain[-1]].base) is not None:
            chain.append(base)
        return chain
