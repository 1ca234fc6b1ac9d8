"""docs/rating.md is true: its decks are imported, its accounts made, and its examples priced."""

import datetime as dt
import re
from collections.abc import Iterator

import pytest

from rating.deck_csv import parse_deck
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tests.paths import ROOT
from tollbook.model.charge import Charge
from tollbook.model.numbering import NumberingPlan
from tollbook.store.database import Connection
from tollbook.store.tariffs import accounts, tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account

RATING = (ROOT / "docs" / "rating.md").read_text()


def table(first: str) -> list[dict[str, str]]:
    """The table whose first column is headed `first`, line by line."""
    _, _, rest = RATING.partition(f"| {first} |")
    lines = f"| {first} |{rest}".split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def parts(text: str) -> Iterator[Charge]:
    """Parts as the examples write them: direction, number, seconds."""
    for part in [] if text == "none" else text.split(", "):
        direction, _, rest = part.partition(" ")
        number, _, seconds = rest.rpartition(" ")
        yield Charge(direction=direction, number=number, seconds=int(seconds))


def ms(time: str) -> int:
    return int(dt.datetime.fromisoformat(time).replace(tzinfo=dt.UTC).timestamp() * 1000)


@pytest.fixture
def loaded(database: Connection) -> Tariffs:
    """What the document describes, as the listener would load it."""
    retail, special = re.findall(r"^```csv\n(.*?)^```$", RATING, re.DOTALL | re.MULTILINE)
    for plan, deck, base in (("retail", retail, None), ("special", special, "retail")):
        rows = parse_deck([("", deck.splitlines(keepends=True))])
        replace_rates(database, plan, None, (row.values() for row in rows), base=base)
    for account_id, plan_id, numbering in (
        ("acme", "retail", None), ("london", "special", "GB"), ("rome", "retail", "IT"), ("late", None, None),
        ("bare", None, None),
    ):  # fmt: skip
        tariffs.add_account(
            database, Account(account_id=account_id, name=account_id, plan_id=plan_id, numbering_id=numbering)
        )
    accounts.assign(database, "late", "retail", from_ts=ms("2026-04-01"), to_ts=None)
    return load_tariffs(database)


def test_the_worked_examples_are_what_the_engine_computes(loaded: Tariffs) -> None:
    """Cost, billed seconds, the rate of each part, and the reason of an unrated call."""
    for example in table("example"):
        charges = tuple(parts(example["parts"]))
        account_id = None if example["account"] == "none" else example["account"]
        price = loaded.price_charges(account_id, ms(example["start"]), bool(charges), charges)
        computed = {
            "cost_micros": "NULL" if price.cost_micros is None else str(price.cost_micros),
            "billed": ", ".join(
                "" if part.billed_sec is None else str(part.billed_sec) for part in price.parts
            ).strip(),
            "rate": ", ".join(part.rate or "" for part in price.parts).strip(),
            "why": price.unrated or example["why"],
        }
        assert {**example, **computed} == example


def test_the_examples_cover_the_rules() -> None:
    """The table is found and read whole: a broken table would otherwise check nothing."""
    named = [example["example"] for example in table("example")]
    for word in (
        "60/60", "30/6", "1/1", "60/1", "price of zero", "answered for 0 seconds", "moment of a rate", "internal",
        "no rate", "toll-free", "forward to a mobile", "transfer to a third party", "speed dial", "own prefix first",
        "short code", "Italy",
    ):  # fmt: skip
        assert any(word in name for name in named), word
    assert len(set(named)) == len(named)


def test_the_table_of_numbering_plans_is_that_of_the_database(database: Connection) -> None:
    """Prefixes and names as the rows have them, and the example reads as it says."""
    rows = {row.numbering_id: row for row in tariffs.numberings(database)}
    documented = {line["plan"]: line for line in table("plan")}
    assert set(documented) == set(rows)
    for plan, line in documented.items():
        row = rows[plan]
        assert (line["country"], line["national"]) == (row.name, ", ".join(row.national_prefixes))
        assert line["international"].replace("(nothing)", "") == ", ".join(row.international_prefixes)
        assert NumberingPlan(row).parse(line["dialled"]).digits == line["becomes"]
