"""docs/rating.md is true: its decks are imported, its accounts made, and its examples priced."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator

import pytest

from rating.deck_csv import parse_deck, write_deck
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tests.paths import ROOT
from tollbook.errors import DataError
from tollbook.model.charge import Charge
from tollbook.model.numbering import NumberingPlan
from tollbook.model.numbers import digits_of
from tollbook.store.database import Connection
from tollbook.store.tariffs import accounts, tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account

RATING = (ROOT / "docs" / "rating.md").read_text()
#: Each numbered rule, item of a list below no other, and line of a table, but for the tables that are read whole.
RULES = re.findall(
    r"^(?:\d\. |- |\|).*(?:\n +.*)*",
    re.sub(
        r"^(?:## (?:How to read the examples|Worked examples)\n.*?(?=^## )|\| plan \|.*?\n\n)",
        "",
        RATING,
        flags=re.M | re.S,
    ),
    re.MULTILINE,
)
_AMOUNTS = ("per_min", "connection_fee")
_DECKS = re.compile(r"`([^`]*⏎[^`]*)`(?: then `([^`]*)`)? → ([^|\n]*)")
_DIALLED = re.compile(r"^ +- `(\w+): ([^`]+)` → (.+)$", re.MULTILINE)


def table(first: str) -> list[dict[str, str]]:
    """The table whose first column is headed `first`, line by line."""
    _, _, rest = RATING.partition(f"\n| {first} |")
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
        replace_rates(database, plan, None, rows, base=base)
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


def imported(connection: Connection, deck: str) -> str:
    """Import a deck, a line of which ends where the page has ⏎; return why it was refused."""
    notice = deck.removeprefix("--update ")
    lines = [f"{line}\n" for line in notice.split(" ⏎ ")]
    rows = parse_deck([("", lines)])
    try:
        replace_rates(connection, "retail", None, rows, update=notice != deck)
    except DataError as error:
        return str(error)
    return ""


def rates_of(connection: Connection) -> list[dict[str, str]]:
    """The rates of the plan, as `tollbook rates export` writes them."""
    written = io.StringIO()
    write_deck(written, tariffs.rates(connection, "retail", ordered=True))
    return [
        {name: re.sub(r"(?<=\d)\.?0+$", "", cell) if name in _AMOUNTS else cell for name, cell in rate.items()}
        for rate in csv.DictReader(io.StringIO(written.getvalue()))
    ]


def test_the_examples_of_decks_are_what_an_import_makes_of_them(database: Connection) -> None:
    """What their rates say, and what is refused; a second deck comes after the first."""
    examples = _DECKS.findall(RATING)
    for first, second, result in examples:
        database.execute("TRUNCATE rate, rate_plan CASCADE")
        problems = imported(database, first) + (imported(database, second) if second else "")
        if result.startswith("refused: "):
            assert result.removeprefix("refused: ").strip() in problems, (first, second, problems)
            continue
        rates = rates_of(database)
        wanted = [dict(_claim(claim) for claim in rate.split(", ")) for rate in result.strip(" ").split(" / ")]
        assert [{**rate, **claims} for rate, claims in zip(rates, wanted, strict=True)] == rates, (first, second)
    assert len(examples) > 25


def _claim(claim: str) -> tuple[str, str]:
    column, _, value = claim.strip().partition(" ")
    return column, "" if value == "none" else value


def test_the_examples_of_numbers_are_read_so(database: Connection) -> None:
    """By the numbering plan of an account, or by none."""
    plans = {row.numbering_id: NumberingPlan(row).parse for row in tariffs.numberings(database)}
    examples = _DIALLED.findall(RATING)
    for plan, number, result in examples:
        digits = digits_of(number) if plan == "none" else plans[plan](number).digits
        assert (digits or "no reading") == result, (plan, number)
    assert len(examples) > 20


def test_every_rule_has_an_example() -> None:
    """Of its own, or a line of the worked examples, or a test that it names."""
    worked = {example["example"] for example in table("example")}
    named = {rule: {*re.findall(r"\*([^*]+)\*", rule.replace("\n", " ").replace("**", ""))} & worked for rule in RULES}
    without = [
        rule
        for rule in RULES
        if not named[rule] and not re.search("` → .", rule) and not re.search("`test_\\w+.py::", rule)
        and not re.match(r"\| (?:field|cause|plan|---)|\|---", rule)
    ]  # fmt: skip
    assert without == []
    assert len(RULES) > 60


@pytest.mark.parametrize(("file", "name"), sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", RATING))))
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").rglob(file))


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
