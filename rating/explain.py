"""Explain a call with its price, charge by charge: what `tollbook explain` prints and `/v1/calls/{id}` answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from rating.engine import billed_seconds, price_micros
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS, ROOT_COLUMNS
from tollbook.model.explain.explain import ChargeView, Explanation, explain, value_of
from tollbook.model.fold import FoldSettings
from tollbook.model.money import format_amount
from tollbook.model.numbers import owner_key
from tollbook.model.presentation import Presentation
from tollbook.model.rate import Rate
from tollbook.model.record import COLUMNS, Row
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import Direction, PriceCause
from tollbook.store.calls.detail import KeptCall, PriceBefore


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """The rate that priced a charge. Money is in micros; times are epoch ms."""

    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    first_increment_sec: int
    increment_sec: int
    valid_from_ts: int
    valid_to_ts: int | None


class ExplainedCharge(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `parts` of a price, explained.

    `leg` is the number of the leg that it pays; None for the call itself, and when it is not known any more. `charged`
    says why it is charged, None when that is not known any more; `priced` how its cost is computed. `digits` is the
    number as prefixes were compared with it. `version` is that of the plan `plan` which brought the rate. `terms` is
    None without a rate.
    """

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
    """What a call cost, and whom, until `replaced_ts` (epoch ms), when `cause` replaced it."""

    account_id: str | None
    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int
    cause: PriceCause


class ExplainedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs and why, and what it cost before. `cost_micros` is None when not yet known, or unrated."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None
    total: str
    parts: tuple[ExplainedCharge, ...]
    before: tuple[FormerPrice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedCall:
    """A row and why it is what it is. `before` also has what is not public: who replaced a price, and why."""

    row: Row
    revision: int
    destination: str | None
    explanation: Explanation
    price: ExplainedPrice
    before: tuple[PriceBefore, ...] = ()

    def value(self, column: str) -> object:
        """Return the value of a column, or of a detail; None also for no recording and for no variable."""
        match column:
            case "cost_micros":
                return self.price.cost_micros
            case "destination":
                return self.destination
            case "recordings" | "vars":
                return value_of(self.row, column) or None
            case _:
                return value_of(self.row, column)

    def to_dict(self, shown: Presentation) -> dict[str, object]:
        """Return the public form: the 16 columns, the details, then what explains them, as a reader is shown them.

        Structs are left to the JSON encoder.
        """
        explanation = self.explanation if shown.whole_paths else self.explanation.without_other_accounts()
        if shown.hides_carriers:
            explanation = explanation.without_carriers()
        return {
            **{name: self.value(name) for name in COLUMNS},
            "switch": self.row.switch,
            "revision": self.revision,
            "estimated": self.row.estimated,
            **self._details(shown),
            "note": explanation.note,
            "legs": [
                msgspec.structs.asdict(leg) | {"recordings": shown.recordings_at(leg.recordings)}
                for leg in explanation.legs
            ],
            "rules": explanation.rules,
            "price": self.price,
        }

    def _details(self, shown: Presentation) -> dict[str, object]:
        details = {name: self.value(name) for name in DETAIL_COLUMNS}
        details["recordings"] = shown.recordings_at(self.row.details.recordings) or None
        if shown.hides_carriers:
            hidden = ROOT_COLUMNS if self.explanation.trunk_root else frozenset[str]()
            details = {
                name: None if name in hidden else value
                for name, value in details.items()
                if name not in CARRIER_COLUMNS
            }
        return details


def explain_stored_call(kept: KeptCall, trunk_rules: TrunkRules) -> ExplainedCall:
    """Explain a stored call by the operator's lists of today."""
    owners = {owner_key(kept.row.to_num): kept.owner} if kept.owner else {}
    settings = FoldSettings(trunk_rules=trunk_rules, number_owners=owners)
    explanation = explain(kept.row, kept.price, kept.legs, settings, kept.bridged)
    return ExplainedCall(
        row=kept.row,
        revision=kept.revision,
        destination=kept.price.destination if kept.price else None,
        explanation=explanation,
        price=_explain_price(kept, explanation),
        before=kept.before,
    )


def _explain_price(kept: KeptCall, explanation: Explanation) -> ExplainedPrice:
    price = kept.price
    priced = price.parts if price else ()
    views: Sequence[ChargeView | None] = explanation.charges or (None,) * len(priced)
    return ExplainedPrice(
        cost_micros=price.cost_micros if price else None,
        currency=price.currency if price else None,
        unrated=price.unrated if price else None,
        total=_total(price, answered=bool(kept.row.answered)),
        parts=tuple(
            _explain_charge(charge, view, kept.rates.get(charge.rate_id or 0))
            for charge, view in zip(priced, views, strict=True)
        ),
        before=tuple(
            FormerPrice(
                account_id=former.account_id,
                cost_micros=former.cost_micros,
                currency=former.currency,
                unrated=former.unrated,
                replaced_ts=former.replaced_ts,
                cause=former.cause,
            )
            for former in kept.before
        ),
    )


def _total(price: Price | None, *, answered: bool) -> str:
    if price is None:
        return "the call is up: it is priced at its end"
    if price.unrated:
        return f"unrated: {price.unrated}"
    if not answered:
        return "0: the call was not answered"
    total = format_amount(price.cost_micros)
    costs = [format_amount(charge.cost_micros) for charge in price.parts]
    return f"{' + '.join(costs)} = {total}" if len(costs) > 1 else total


def _explain_charge(charge: PricedCharge, view: ChargeView | None, rate: Rate | None) -> ExplainedCharge:
    terms, priced = explain_pricing(charge, rate)
    return ExplainedCharge(
        direction=charge.direction,
        number=charge.number,
        seconds=charge.seconds,
        leg=view.leg if view else None,
        charged=view.why if view else None,
        billed_sec=charge.billed_sec,
        digits=charge.digits,
        rate_id=charge.rate_id,
        rate=charge.rate,
        plan=charge.plan,
        version=charge.version,
        terms=terms,
        cost_micros=charge.cost_micros,
        priced=priced,
    )


def explain_pricing(charge: PricedCharge, rate: Rate | None) -> tuple[RateView | None, str]:
    """Return the rate that priced a charge (None without one), and the arithmetic as a sentence."""
    if charge.rate_id is None and charge.rate is None:
        if charge.cost_micros is None:
            return None, "no price: the total says why"
        return None, f"the plan prices no {charge.direction} calls: 0"
    if rate is None:
        cost = format_amount(charge.cost_micros)
        return None, f"{charge.billed_sec} s billed cost {cost}; the rate is not in this database"
    view = RateView(
        prefix=rate.prefix,
        per_min_micros=rate.per_min_micros,
        connection_fee_micros=rate.connection_fee_micros,
        first_increment_sec=rate.first_increment_sec,
        increment_sec=rate.increment_sec,
        valid_from_ts=rate.valid_from_ts,
        valid_to_ts=rate.valid_to_ts,
    )
    return view, _arithmetic(charge, rate)


def _arithmetic(charge: PricedCharge, rate: Rate) -> str:
    billed = billed_seconds(charge.seconds, rate)
    steps = (billed - rate.first_increment_sec) // rate.increment_sec
    more = f" + {steps} × {rate.increment_sec} s = {billed} s" if steps else ""
    prefix = f"{rate.prefix} is the longest prefix with a rate" if rate.prefix else "a rate for any number"
    per_min, fee = format_amount(rate.per_min_micros), rate.connection_fee_micros
    minutes = price_micros(billed, rate) - fee
    rounded = "" if minutes * 60 == billed * rate.per_min_micros else " (rounded up)"
    return (
        f"{prefix}, {per_min} a minute, {rate.first_increment_sec}/{rate.increment_sec}."
        f" {charge.seconds} s are billed as {rate.first_increment_sec} s{more}:"
        f" {billed} × {per_min} / 60 = {format_amount(minutes)}{rounded}"
        + (f", and the fee {format_amount(fee)}: {format_amount(charge.cost_micros)}" if fee else "")
    )
