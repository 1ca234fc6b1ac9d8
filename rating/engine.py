"""Price a call: pure functions over a deck. The rules stand in docs/rating.md; money is in micros, integers only.

The same functions price live, re-rate and explain.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tollbook.model.number import digits_of
from tollbook.model.row import Part, Price, PricedPart, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What a minute towards numbers with `prefix` costs, from `valid_from_ts` until before `valid_to_ts` (ms)."""

    rate_id: int
    direction: str
    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    increment_sec: int
    first_increment_sec: int
    valid_from_ts: int
    valid_to_ts: int | None
    name: str


def billed_seconds(seconds: int, rate: Rate) -> int:
    """Round up to what is charged: at least one second, the first increment, then whole increments."""
    counted = max(1, seconds)
    beyond = max(0, counted - rate.first_increment_sec)
    return rate.first_increment_sec + -(-beyond // rate.increment_sec) * rate.increment_sec


def price_of(seconds: int, rate: Rate) -> int:
    """Price answered seconds, in micros: the connection fee and the billed seconds, rounded up to a micro."""
    return rate.connection_fee_micros + -(-billed_seconds(seconds, rate) * rate.per_min_micros // 60)


class Deck:
    """The rates of one plan, indexed for the longest prefix: one dictionary probe for each length that occurs."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        by_prefix: defaultdict[str, defaultdict[str, list[Rate]]] = defaultdict(lambda: defaultdict(list))
        for rate in rates:
            by_prefix[rate.direction][rate.prefix].append(rate)
        self._rates: dict[str, dict[str, list[Rate]]] = {}
        self._lengths: dict[str, list[int]] = {}
        for direction, prefixes in by_prefix.items():
            for history in prefixes.values():
                history.sort(key=lambda rate: rate.valid_from_ts)
            self._rates[direction] = dict(prefixes)
            self._lengths[direction] = sorted({len(prefix) for prefix in prefixes}, reverse=True)

    def prices(self, direction: str) -> bool:
        """Tell whether the plan prices this direction at all."""
        return direction in self._rates

    def match(self, direction: str, digits: str, at_ts: int) -> Rate | None:
        """Find the rate with the longest prefix of `digits` that is in force at `at_ts` (epoch ms)."""
        rates = self._rates.get(direction)
        if rates is None:
            return None
        for length in self._lengths[direction]:
            if length <= len(digits) and (history := rates.get(digits[:length])):
                rate = _in_force(history, at_ts)
                if rate is not None:
                    return rate
        return None


def _in_force(history: list[Rate], at_ts: int) -> Rate | None:
    place = bisect_right(history, at_ts, key=lambda rate: rate.valid_from_ts)
    if place == 0:
        return None
    rate = history[place - 1]
    return rate if rate.valid_to_ts is None or at_ts < rate.valid_to_ts else None


@dataclass(frozen=True, kw_only=True)
class Tariffs:
    """Every account's deck: accounts that exist without a plan map to None."""

    decks: Mapping[str, Deck | None]

    def price(self, row: Row) -> Price:
        """Price a complete call: the sum of its parts, or unrated with the reason; never an exception."""
        parts = row.parts or ()
        if not row.answered:
            return Price(cost_micros=0, parts=())
        if row.account_id is None:
            return _unrated(parts, "the call has no account")
        if row.account_id not in self.decks:
            return _unrated(parts, "no such account")
        deck = self.decks[row.account_id]
        if deck is None:
            return _unrated(parts, "the account has no rate plan")
        priced = [_price_part(part, deck, row.start_ts) for part in parts]
        reasons = [f"no rate for {part.direction} {part.number}" for part in priced if part.cost_micros is None]
        if reasons:
            return Price(cost_micros=None, parts=tuple(priced), unrated="; ".join(reasons))
        return Price(cost_micros=sum(part.cost_micros or 0 for part in priced), parts=tuple(priced))


def _price_part(part: Part, deck: Deck, at_ts: int) -> PricedPart:
    if not deck.prices(part.direction):
        return PricedPart(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=0)
    digits = digits_of(part.number)
    rate = deck.match(part.direction, digits, at_ts) if digits is not None else None
    if rate is None:
        return PricedPart(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=None)
    return PricedPart(
        direction=part.direction,
        number=part.number,
        seconds=part.seconds,
        cost_micros=price_of(part.seconds, rate),
        billed_sec=billed_seconds(part.seconds, rate),
        rate_id=rate.rate_id,
        rate=rate.name,
    )


def _unrated(parts: Iterable[Part], reason: str) -> Price:
    return Price(
        cost_micros=None,
        parts=tuple(
            PricedPart(direction=one.direction, number=one.number, seconds=one.seconds, cost_micros=None)
            for one in parts
        ),
        unrated=reason,
    )
