"""docs/statements.md is true: its example is issued, and comes out as it was worked out by hand."""

import re
from decimal import Decimal

from tests.integration.maintenance.statement.months import AUGUST, SEPTEMBER, Book
from tests.paths import ROOT
from tollbook.model.money import format_amount
from tollbook.statements.as_csv import COLUMNS
from tollbook.statements.statement import Statement
from tollbook.store.statements.billing import BillingChange, change

DOCUMENT = (ROOT / "docs" / "statements.md").read_text()


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column is headed `first`."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    assert found, first
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def rows_of(statement: Statement) -> list[list[str]]:
    """A statement as the document shows it."""
    rows = [
        [f"{'' if line.kind == 'calls' else f'{line.kind} of {line.month}: '}{line.direction} {line.destination}",
         f"{line.calls}", line.minutes, format_amount(line.amount_micros)]
        for line in statement.lines
    ]  # fmt: skip
    (total,) = statement.totals
    rows.append(["sum", f"{total.calls}", total.minutes, format_amount(total.amount_micros)])
    rows.append(["net", "", "", total.net])
    rows += [[f"{tax.name} {tax.rate} % of {tax.net}", "", "", tax.tax] for tax in total.taxes]
    return [*rows, ["total", "", "", total.total]]


def test_the_example_by_hand(book: Book) -> None:
    """August, then a re-rate and a late call of it after its days were pruned, then September."""
    change(book.database, "acme", BillingChange(taxes="VAT=19", zone="Europe/Berlin"))
    for name, start, direction, destination, billsec, cost in table("call"):
        micros = int(Decimal(cost) * 1_000_000)
        book.put(name, start, micros, direction=direction, destination=destination, billsec=int(billsec))
    assert rows_of(book.issue(AUGUST)) == table("August")
    book.prune()
    book.put("d", "2026-08-11T10:00", 90_000, destination="France", billsec=30)
    book.put("g", "2026-08-20T10:00", 12_000)
    assert rows_of(book.issue(SEPTEMBER)) == table("September")


def test_the_columns_of_csv_are_described() -> None:
    """docs/api.md has each, in their order."""
    after = (ROOT / "docs" / "api.md").read_text().partition("columns of the CSV")[2]
    described = after.partition("|---|---|")[2].partition("\n\n")[0]
    named = " ".join(re.findall(r"^\| (`[^|]*) \|", described, re.MULTILINE))
    assert re.findall(r"`(\w+)`", named) == list(COLUMNS)
