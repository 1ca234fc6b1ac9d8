"""Price a call: pure functions over tariffs. The rules stand in docs/rating.md; money is in micros, integers only.

The same functions price live, re-rate and explain: `Tariffs.price_charges`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rating.deck import Deck
from tollbook.model.charge import Charge, Price, PricedCharge
from tollbook.model.numbering import DialledNumber, NumberingPlan
from tollbook.model.numbers import digits_of
from tollbook.model.rate import Rate, RateTerms
from tollbook.model.record import Row
from tollbook.model.vocabulary import Direction

# Which numbers an account dials. The own number of an inbound call comes from a carrier, in the carrier's form, and an
# internal one is an extension.
_DIALLED = "outbound"


def billed_seconds(seconds: int, terms: RateTerms) -> int:
    """Round up to what is charged: at least one second, the first increment, then whole increments."""
    beyond = max(1, seconds) - terms.first_increment_sec
    if beyond <= 0:
        return terms.first_increment_sec
    return terms.first_increment_sec + -(-beyond // terms.increment_sec) * terms.increment_sec


def price_micros(billed_sec: int, terms: RateTerms) -> int:
    """Price billed seconds, in micros: the connection fee and their share of a minute, rounded up to a micro."""
    return terms.connection_fee_micros + -(-billed_sec * terms.per_min_micros // 60)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan: its own deck, then those of its base and the base's base, all in one currency."""

    plan_id: str
    currency: str
    decks: tuple[Deck, ...]

    def prices(self, direction: Direction) -> bool:
        """Tell whether the plan prices this direction at all."""
        for deck in self.decks:  # noqa: SIM110 - a third of the time of any(), for every part
            if deck.prices(direction):
                return True
        return False

    def match(self, direction: Direction, dialled: DialledNumber, at_ts: int) -> Rate | None:
        """Find the rate for a number at `at_ts` (epoch ms): any of the plan's own goes before any of its base's.

        Within a deck the longest prefix wins. A short code is matched whole or not at all.
        """
        if dialled.digits is None:
            return None
        for deck in self.decks:
            rate = deck.match(direction, dialled.digits, at_ts, whole=dialled.short)
            if rate is not None:
                return rate
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """The plan of an account from `from_ts` (epoch ms) on, until its next assignment; None: no plan."""

    from_ts: int
    plan: Plan | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountTariff:
    """What prices an account: its plans, oldest first, and its numbering plan (None: numbers are taken as digits)."""

    assignments: Sequence[Assignment] = ()
    numbering: NumberingPlan | None = None

    def plan_at(self, at_ts: int) -> Plan | None:
        """Find the plan in force at `at_ts` (epoch ms)."""
        for one in reversed(self.assignments):
            if one.from_ts <= at_ts:
                return one.plan
        return None

    def parse_number(self, direction: Direction, number: str) -> DialledNumber:
        """Read the number of a part as prefixes are compared with it."""
        if self.numbering is not None and direction == _DIALLED:
            return self.numbering.parse(number)
        return DialledNumber(digits=digits_of(number))


@dataclass(frozen=True, kw_only=True)
class Tariffs:
    """Every account that exists, with what prices it, and the decks of all plans by plan and version."""

    accounts: Mapping[str, AccountTariff] = field(default_factory=dict[str, AccountTariff])
    decks: Mapping[tuple[str, int], Deck] = field(default_factory=dict[tuple[str, int], Deck])

    def price(self, row: Row) -> Price:
        """Price a complete call: the sum of its parts, or unrated with the reason; never an exception."""
        return self.price_charges(row.account_id, row.start_ts, bool(row.answered), row.parts or ())

    def price_charges(self, account_id: str | None, start_ts: int, answered: bool, parts: Iterable[Charge]) -> Price:
        """Price what is charged of a call that started at `start_ts` (epoch ms); never an exception.

        Only these four decide, so a call whose legs are gone is priced again from its parts.
        """
        tariff = self.accounts.get(account_id) if account_id is not None else None
        plan = tariff.plan_at(start_ts) if tariff else None
        if not answered:
            return Price(cost_micros=0, parts=(), currency=plan.currency if plan else None)
        if account_id is None:
            return _unrated(parts, "the call has no account")
        if tariff is None:
            return _unrated(parts, "no such account")
        if plan is None:
            begun = any(one.plan for one in tariff.assignments)
            return _unrated(parts, f"the account has no rate plan{' at this time' if begun else ''}")
        priced: list[PricedCharge] = []
        reasons: list[str] = []
        cost_micros = 0
        for part in parts:
            dialled = tariff.parse_number(part.direction, part.number)
            one = _price_charge(part, plan, dialled, start_ts)
            priced.append(one)
            if one.cost_micros is None:
                reasons.append(_reason(part, dialled))
            else:
                cost_micros += one.cost_micros
        return Price(
            cost_micros=None if reasons else cost_micros,
            parts=tuple(priced),
            unrated="; ".join(reasons) or None,
            currency=plan.currency,
        )

    def rate_of(self, account_id: str, start_ts: int, part: PricedCharge) -> Rate | None:
        """Find the rate that priced a part of these tariffs."""
        tariff = self.accounts.get(account_id)
        plan = tariff.plan_at(start_ts) if tariff else None
        if tariff is None or plan is None or part.rate_id is None:
            return None
        return plan.match(part.direction, tariff.parse_number(part.direction, part.number), start_ts)


def _price_charge(part: Charge, plan: Plan, dialled: DialledNumber, at_ts: int) -> PricedCharge:
    if not plan.prices(part.direction):
        return PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=0)
    rate = plan.match(part.direction, dialled, at_ts)
    if rate is None:
        return PricedCharge(
            direction=part.direction,
            number=part.number,
            seconds=part.seconds,
            cost_micros=None,
            digits=dialled.digits,
        )
    billed_sec = billed_seconds(part.seconds, rate)
    return PricedCharge(
        direction=part.direction,
        number=part.number,
        seconds=part.seconds,
        cost_micros=price_micros(billed_sec, rate),
        billed_sec=billed_sec,
        digits=dialled.digits,
        rate_id=rate.rate_id,
        rate=rate.name,
        plan=rate.plan_id,
        version=rate.version,
    )


def _reason(part: Charge, dialled: DialledNumber) -> str:
    if dialled.reason is not None:
        return f"{dialled.reason}: {part.direction} {part.number}"
    return f"no rate for {part.direction} {'short code ' if dialled.short else ''}{part.number}"


def _unrated(parts: Iterable[Charge], reason: str) -> Price:
    return Price(
        cost_micros=None,
        parts=tuple(
            PricedCharge(direction=one.direction, number=one.number, seconds=one.seconds, cost_micros=None)
            for one in parts
        ),
        unrated=reason,
    )
