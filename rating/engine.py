"""Price a call: pure functions over tariffs. docs/rating.md has the rules; money is in micros, in integers only.

One function, `Tariffs.price_charges`, prices calls live, prices them again, and explains their prices.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rating.deck import Deck
from tollbook.model.charge import BILLED_ELSEWHERE, Charge, Price, PricedCharge
from tollbook.model.doubts import Doubt
from tollbook.model.numbering import DialledNumber, NumberingPlan, is_e164
from tollbook.model.numbers import digits_of
from tollbook.model.rate import Rate, RateTerms
from tollbook.model.record import Row
from tollbook.model.vocabulary import Direction
from tollbook.times import written

# The direction whose numbers the account dials itself. That of an inbound call comes from a carrier, in the carrier's
# form, and that of an internal call is an extension.
_DIALLED_BY_ACCOUNT: Final = "outbound"
_LARGEST_COST: Final = 2**63 - 1  # PostgreSQL's bigint


def billed_seconds(seconds: int, terms: RateTerms) -> int:
    """Return the seconds billed: the first increment at least, and whole further ones.

    So at least one second counts: no increment is shorter. `seconds` is not negative.
    """
    beyond = seconds - terms.first_increment_sec
    if beyond <= 0:
        return terms.first_increment_sec
    return terms.first_increment_sec + -(-beyond // terms.increment_sec) * terms.increment_sec


def price_micros(billed_sec: int, terms: RateTerms) -> int:
    """Return the price of billed seconds: the connection fee and their share of a minute, rounded up to a micro."""
    return terms.connection_fee_micros + -(-billed_sec * terms.per_min_micros // 60)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A rate plan: its own deck, then those of its base and the base's base, all in one currency."""

    plan_id: str
    currency: str
    decks: tuple[Deck, ...]

    def prices(self, direction: Direction) -> bool:
        """Whether the plan or a base has any rate for this direction."""
        for deck in self.decks:  # noqa: SIM110 - a third of the time of any(), for every charge
            if deck.prices(direction):
                return True
        return False

    def match(self, direction: Direction, dialled: DialledNumber, at_ts: int) -> Rate | None:
        """Return the rate for a number at `at_ts` (epoch ms), if any.

        Any of the plan's own rates goes before all of its base's; within a deck the longest prefix wins. A short code
        is matched whole or not at all.
        """
        if dialled.digits is None:
            return None
        for deck in self.decks:
            rate = deck.match(direction, dialled.digits, at_ts, dialled.short)
            if rate is not None:
                return rate
        return None

    def begins_after(self, direction: Direction, dialled: DialledNumber, at_ts: int) -> int | None:
        """Return when the first rate for a number begins that begins after `at_ts` (epoch ms); None if none does."""
        if dialled.digits is None:
            return None
        first = None
        for deck in self.decks:
            begins_ts = deck.begins_after(direction, dialled.digits, at_ts, whole=dialled.short)
            if begins_ts is not None and (first is None or begins_ts < first):
                first = begins_ts
        return first


#: Why a call is unrated whose account code nobody has added.
NO_SUCH_ACCOUNT: Final = "no such account"


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """The plan of an account from `from_ts` (epoch ms) until its next assignment. None is no plan."""

    from_ts: int
    plan: Plan | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountTariff:
    """What prices an account: its plans, oldest first, and its numbering plan (without one, numbers are digits)."""

    assignments: Sequence[Assignment] = ()
    numbering: NumberingPlan | None = None

    def plan_at(self, at_ts: int) -> Plan | None:
        """Return the plan in force at `at_ts` (epoch ms), if any."""
        for assignment in reversed(self.assignments):
            if assignment.from_ts <= at_ts:
                return assignment.plan
        return None

    def parse_number(self, direction: Direction, number: str) -> DialledNumber:
        """Return the number of a charge as prefixes are compared with it."""
        if self.numbering is not None and direction == _DIALLED_BY_ACCOUNT:
            return self.numbering.parse(number)
        return DialledNumber(digits=digits_of(number))


@dataclass(frozen=True, kw_only=True)
class Tariffs:
    """Every account that exists, with what prices it, and the decks of all plans by plan and version."""

    accounts: Mapping[str, AccountTariff] = field(default_factory=dict[str, AccountTariff])
    decks: Mapping[tuple[str, int], Deck] = field(default_factory=dict[tuple[str, int], Deck])

    def price(self, row: Row) -> Price:
        """Price a complete call: the sum of its charges, or unrated with the reason. Never raises."""
        if row.billed_elsewhere:
            return _unrated(row.parts or (), BILLED_ELSEWHERE)
        return self.price_charges(row.account_id, row.start_ts, bool(row.answered), row.parts or ())

    def price_charges(self, account_id: str | None, start_ts: int, answered: bool, charges: Iterable[Charge]) -> Price:
        """Price what a call is charged for that started at `start_ts` (epoch ms). Never raises.

        The price depends on these four alone, so a call whose legs are gone can be priced again from its `parts`.
        """
        tariff = self.accounts.get(account_id) if account_id is not None else None
        plan = tariff.plan_at(start_ts) if tariff else None
        if not answered:
            return Price(cost_micros=0, parts=(), currency=plan.currency if plan else None)
        if account_id is None:
            return _unrated(charges, "the call has no account")
        if tariff is None:
            return _unrated(charges, NO_SUCH_ACCOUNT)
        if plan is None:
            has_plans = any(assignment.plan for assignment in tariff.assignments)
            return _unrated(charges, f"the account has no rate plan{' at this time' if has_plans else ''}")
        priced: list[PricedCharge] = []
        reasons: list[str] = []
        cost_micros, longest_sec, destination = 0, -1, None
        doubts: tuple[Doubt, ...] = ()
        for charge in charges:
            dialled = tariff.parse_number(charge.direction, charge.number)
            rate = plan.match(charge.direction, dialled, start_ts)
            if rate is None:
                free = not plan.prices(charge.direction)
                priced.append(_without_rate(charge, dialled, free=free))
                if not free:
                    reasons.append(_reason(charge, dialled, plan.begins_after(charge.direction, dialled, start_ts)))
                continue
            billed_sec = billed_seconds(charge.seconds, rate)
            charge_micros = price_micros(billed_sec, rate)
            priced.append(
                PricedCharge(
                    direction=charge.direction,
                    number=charge.number,
                    seconds=charge.seconds,
                    cost_micros=charge_micros,
                    billed_sec=billed_sec,
                    digits=dialled.digits,
                    rate_id=rate.rate_id,
                    rate=rate.name,
                    plan=rate.plan_id,
                    version=rate.version,
                )
            )
            cost_micros += charge_micros
            if charge.seconds > longest_sec:  # of equally long charges the first one's
                longest_sec, destination = charge.seconds, rate.name
            if tariff.numbering is None and _is_national(charge.direction, dialled):
                doubts = (Doubt("no_numbering", account_id),)
        if cost_micros > _LARGEST_COST:
            reasons.append("the price is larger than can be stored: is a rate of the plan wrong?")
        return Price(
            cost_micros=None if reasons else cost_micros,
            parts=tuple(priced),
            unrated="; ".join(reasons) if reasons else None,
            currency=plan.currency,
            destination=destination,
            doubts=doubts,
        )

    def rate_of(self, account_id: str, start_ts: int, charge: PricedCharge) -> Rate | None:
        """Return the rate of these tariffs that priced a charge, if any did."""
        tariff = self.accounts.get(account_id)
        plan = tariff.plan_at(start_ts) if tariff else None
        if tariff is None or plan is None or charge.rate_id is None:
            return None
        return plan.match(charge.direction, tariff.parse_number(charge.direction, charge.number), start_ts)


def _without_rate(charge: Charge, dialled: DialledNumber, *, free: bool) -> PricedCharge:
    return PricedCharge(
        direction=charge.direction,
        number=charge.number,
        seconds=charge.seconds,
        cost_micros=0 if free else None,
        digits=None if free else dialled.digits,
    )


def _is_national(direction: Direction, dialled: DialledNumber) -> bool:
    """Whether an account dialled a number without its country code, so that a rate for another number priced it."""
    return direction == _DIALLED_BY_ACCOUNT and dialled.digits is not None and not is_e164(dialled.digits)


def _reason(charge: Charge, dialled: DialledNumber, begins_ts: int | None) -> str:
    if dialled.reason is not None:
        return f"{dialled.reason}: {charge.direction} {charge.number}"
    later = "" if begins_ts is None else f": the first that matches begins {written(begins_ts)}, after the call"
    return f"no rate for {charge.direction} {'short code ' if dialled.short else ''}{charge.number}{later}"


def _unrated(charges: Iterable[Charge], reason: str) -> Price:
    return Price(
        cost_micros=None,
        parts=tuple(
            PricedCharge(direction=charge.direction, number=charge.number, seconds=charge.seconds, cost_micros=None)
            for charge in charges
        ),
        unrated=reason,
    )
