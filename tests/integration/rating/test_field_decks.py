"""Decks as operators really get them: what is imported, and what it prices."""

from pathlib import Path

import pytest

from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.paths import ROOT
from tollbook.model.charge import Charge
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import Imported, replace_rates
from tollbook.store.tariffs.tariffs import Account
from tollbook.times import instant

CASES = ROOT / "tests" / "data" / "cases"


def imported(connection: Connection, path: Path, currency: str) -> Imported:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        done = replace_rates(connection, "retail", currency, parse_deck([("", lines)]))
    tariffs.add_account(connection, Account(account_id="acme", name="Acme", plan_id="retail"))
    return done


def price(connection: Connection, number: str, at: str) -> tuple[int | None, str | None]:
    charge = Charge(direction="outbound", number=number, seconds=60)
    found = load_tariffs(connection).price_charges("acme", instant(at), True, [charge])
    return found.cost_micros, found.currency


def test_a_currency_whose_unit_is_small(database: Connection) -> None:
    """A minute to a satellite costs 65,000 rupiah, which are less than 4 euros."""
    imported(database, CASES / "currency_unit" / "deck.csv", "IDR")
    assert price(database, "88216123456", "2026-11-28") == (66_500_000_000, "IDR")


@pytest.mark.parametrize(("day", "micros"), [("2026-11-28", 10_000), ("2026-12-02", 12_000), ("2026-12-01", 12_000)])
def test_prices_with_the_day_from_which_they_hold(database: Connection, day: str, micros: int) -> None:
    imported(database, CASES / "deck_effective_dates" / "deck.csv", "USD")
    assert price(database, "442079460000", day) == (micros, "USD")


def test_rows_that_were_emptied_in_a_spreadsheet(database: Connection) -> None:
    assert imported(database, CASES / "deck_with_empty_rows" / "deck.csv", "USD").compared.rates == 1
