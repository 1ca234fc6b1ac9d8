"""Explain a call with its price, part by part: what `tollbook explain` prints and `/v1/calls/{id}` answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from rating.engine import billed_seconds, price_micros
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.explain.explain import Explanation, explain
from tollbook.model.explain.leg_view import LegView
from tollbook.model.fold import FoldSettings, clock_seconds
from tollbook.model.numbers import owner_key
from tollbook.model.rate import Rate
from tollbook.model.record import COLUMNS, Row
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import Direction
from tollbook.store.calls.detail import KeptCall, PriceBefore


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """The rate that priced a part. Money is in micros; times are epoch ms."""

    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    first_increment_sec: int
    increment_sec: int
    valid_from_ts: int
    valid_to_ts: int | None


class ExplainedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the price. `leg` is the one it pays, None for the call itself or when that is not known any more;
    `charged` says why it is charged, `priced` how its cost is computed. `digits`: the number as prefixes were compared
    with it. `version`: that of the plan `plan` which brought the rate. `terms` None: no rate."""

    direction: Direction
    number: str
    seconds: int
    leg: int | None
    charged: str | None
    billed_sec: int | None
    digits: str | None
    rate_id: int | None
    rate: str | None
    plan: str | None
    version: int | None
    terms: RateView | None
    cost_micros: int | None
    priced: str


class FormerPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a call cost until it was priced again at `replaced_ts` (epoch ms)."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int


class ExplainedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs and why, and what it cost before. `cost_micros` None: not yet known, or unrated."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None
    total: str
    parts: tuple[ExplainedCharge, ...]
    before: tuple[FormerPrice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedCall:
    """A row and why it is what it is. `before` tells more than the public form: who replaced a price, and why."""

    row: Row
    revision: int
    explanation: Explanation
    price: ExplainedPrice
    before: tuple[PriceBefore, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Give the public form: the 16 columns, then what explains them. Structs are left to the JSON encoder."""
        columns = {name: getattr(self.row, name) for name in COLUMNS if name != "cost_micros"}
        return {
            **columns,
            "cost_micros": self.price.cost_micros,
            "switch": self.row.switch,
            "revision": self.revision,
            "estimated": self.row.estimated,
            "note": self.explanation.note,
            "legs": self.explanation.legs,
            "rules": self.explanation.rules,
            "price": self.price,
        }


def explained(kept: KeptCall, trunk_rules: TrunkRules) -> ExplainedCall:
    """Explain a call as it is kept, by the operator's lists of today."""
    owners = {owner_key(kept.row.to_num): kept.owner} if kept.owner else {}
    settings = FoldSettings(trunk_rules=trunk_rules, number_owners=owners)
    explanation = explain(kept.row, kept.price, kept.legs, settings)
    return ExplainedCall(
        row=kept.row,
        revision=kept.revision,
        explanation=explanation,
        price=_price(kept, explanation),
        before=kept.before,
    )


def amount(micros: int | None) -> str:
    """Write money in units of its currency, to the micro."""
    return "none" if micros is None else f"{micros // 1_000_000}.{micros % 1_000_000:06}"


def _price(kept: KeptCall, explanation: Explanation) -> ExplainedPrice:
    price = kept.price
    parts = price.parts if price else ()
    charged: Sequence[tuple[int | None, str | None]] = [(None, None)] * len(parts)
    if explanation.agrees:
        charged = list(_charged(parts, explanation.legs))
    return ExplainedPrice(
        cost_micros=price.cost_micros if price else None,
        currency=price.currency if price else None,
        unrated=price.unrated if price else None,
        total=_total(price, answered=bool(kept.row.answered)),
        parts=tuple(
            _part(part, leg, why, kept.rates.get(part.rate_id or 0))
            for part, (leg, why) in zip(parts, charged, strict=True)
        ),
        before=tuple(
            FormerPrice(
                cost_micros=one.cost_micros, currency=one.currency, unrated=one.unrated, replaced_ts=one.replaced_ts
            )
            for one in kept.before
        ),
    )


def _total(price: Price | None, *, answered: bool) -> str:
    if price is None:
        return "the call is up: it is priced at its end"
    if price.unrated:
        return f"unrated: {price.unrated}"
    if not answered:
        return "0: the call was not answered"
    costs = [amount(part.cost_micros) for part in price.parts]
    return f"{' + '.join(costs)} = {amount(price.cost_micros)}" if len(costs) > 1 else amount(price.cost_micros)


def _charged(parts: Sequence[PricedCharge], legs: Sequence[LegView]) -> Iterator[tuple[int | None, str]]:
    """Say of each part what it pays. The fold puts the call itself first, then its answered off-net legs in order."""
    paid = [leg for leg in legs if leg.off_net and leg.answered_ts] if parts else []
    for _ in range(len(parts) - len(paid)):
        yield None, "the call itself: to_num, for billsec"
    for leg, part in zip(paid, parts[len(parts) - len(paid) :], strict=True):
        if leg.call_number:
            number = "the number its call_number says"
        elif part.number != leg.dialed_num:
            number = "the number sent, less its gateway's technical prefix"
        else:
            number = "the number sent"
        own = clock_seconds((leg.answered_ts or 0) * 1000, (leg.hangup_ts or 0) * 1000) == part.seconds
        seconds = "from its answer to its hangup" if own else "for billsec, with which it agrees to within a second"
        yield leg.leg, f"leg {leg.leg} is off-net: {number}, {seconds}"


def _part(part: PricedCharge, leg: int | None, charged: str | None, rate: Rate | None) -> ExplainedCharge:
    terms, priced = priced_charge(part, rate)
    return ExplainedCharge(
        direction=part.direction,
        number=part.number,
        seconds=part.seconds,
        leg=leg,
        charged=charged,
        billed_sec=part.billed_sec,
        digits=part.digits,
        rate_id=part.rate_id,
        rate=part.rate,
        plan=part.plan,
        version=part.version,
        terms=terms,
        cost_micros=part.cost_micros,
        priced=priced,
    )


def priced_charge(part: PricedCharge, rate: Rate | None) -> tuple[RateView | None, str]:
    """Give the terms that priced a part, None without a rate, and the arithmetic as a sentence."""
    if part.rate_id is None and part.rate is None:
        if part.cost_micros is None:
            return None, "no price: the total says why"
        return None, f"the plan prices no {part.direction} calls: 0"
    if rate is None:
        return None, f"{part.billed_sec} s billed cost {amount(part.cost_micros)}; this database has not that rate"
    terms = RateView(
        prefix=rate.prefix,
        per_min_micros=rate.per_min_micros,
        connection_fee_micros=rate.connection_fee_micros,
        first_increment_sec=rate.first_increment_sec,
        increment_sec=rate.increment_sec,
        valid_from_ts=rate.valid_from_ts,
        valid_to_ts=rate.valid_to_ts,
    )
    return terms, _arithmetic(part, rate)


def _arithmetic(part: PricedCharge, rate: Rate) -> str:
    billed = billed_seconds(part.seconds, rate)
    steps = (billed - rate.first_increment_sec) // rate.increment_sec
    increments = f"{rate.first_increment_sec} s" + (f" + {steps} × {rate.increment_sec} s" if steps else "")
    of = f"{rate.prefix} is the longest prefix with a rate" if rate.prefix else "a rate for any number"
    seconds = price_micros(billed, rate) - rate.connection_fee_micros
    exact = seconds * 60 == billed * rate.per_min_micros
    told = (
        f"{of}, {amount(rate.per_min_micros)} a minute, {rate.first_increment_sec}/{rate.increment_sec}."
        f" {part.seconds} s are billed as {increments}{f' = {billed} s' if steps else ''}:"
        f" {billed} × {amount(rate.per_min_micros)} / 60 = {amount(seconds)}{'' if exact else ' (rounded up)'}"
    )
    fee = rate.connection_fee_micros
    return told + (f", and the fee {amount(fee)}: {amount(part.cost_micros)}" if fee else "")
