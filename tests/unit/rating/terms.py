"""Rates, plans and calls to price."""

from typing import Any

from rating.deck import Deck
from rating.engine import AccountTariff, Assignment, Plan
from tests.factories import call_row
from tollbook.model.numbering import NumberingPlan
from tollbook.model.rate import Rate
from tollbook.model.record import Row

AT = 1_800_000_000_000


def rate(prefix: str = "", **given: object) -> Rate:
    terms: dict[str, object] = {
        "rate_id": 1, "direction": "outbound", "per_min_micros": 60_000, "connection_fee_micros": 0,
        "increment_sec": 60, "first_increment_sec": 60, "valid_from_ts": 0, "valid_to_ts": None, "name": prefix,
        "version": 1, "plan_id": "retail",
    }  # fmt: skip
    return Rate(**{**terms, "prefix": prefix, **given})


def plan(*decks: list[Rate], currency: str = "EUR") -> Plan:
    """A plan: its own deck, then its base's."""
    return Plan(plan_id="retail", currency=currency, decks=tuple(Deck(deck) for deck in decks))


def on(*decks: list[Rate], numbering: NumberingPlan | None = None) -> AccountTariff:
    """An account on one plan for ever."""
    return AccountTariff(assignments=(Assignment(from_ts=0, plan=plan(*decks)),), numbering=numbering)


def row(*parts: tuple[str, str, int], **given: Any) -> Row:
    charges = [{"direction": direction, "number": number, "seconds": seconds} for direction, number, seconds in parts]
    return call_row("a", **{"start_ts": AT, "to_num": "2", "parts": charges} | given)
