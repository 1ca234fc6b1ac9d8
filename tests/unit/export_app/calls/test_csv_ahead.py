"""A page of CSV that is made while its rows come: the same bytes, or none."""

import pytest

from export_app.calls.csv_ahead import CsvAhead
from export_app.calls.csv_page import encode_page
from export_app.calls.page import Page
from tollbook.model.record import COLUMNS, Record

# What is read of a call: its columns, its switch, its currency.
TEXTS = ("", "a", "=1+1", 'say "hi"', "a,b", "ü", "\r\n", "+49", *"12345678")
ROWS: list[Record] = [(*(f"{number}{text}" for text in TEXTS), "fs1", "EUR") for number in range(7)]
CHANGED: Record = (*ROWS[2][:-1], "USD")


def shown(rows: list[Record], *, raw: bool) -> bytes:
    """Return the page as it is made of all its rows at once."""
    return encode_page(Page(columns=COLUMNS, read=rows, since=0, until=0).rows(), COLUMNS, raw=raw)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("limit", [5, 6, 7, 100])
@pytest.mark.parametrize("part", [1, 2, 5, 7])
def test_it_is_the_page_whatever_its_parts(part: int, limit: int, raw: bool) -> None:
    """The row that says whether there is a next page is not on it."""
    ahead = CsvAhead(COLUMNS, limit, raw=raw)
    for first in range(0, len(ROWS), part):
        ahead.add(ROWS[first : first + part])
    assert ahead.page(ROWS[:limit]) == shown(ROWS[:limit], raw=raw)


@pytest.mark.parametrize(
    "rows",
    [ROWS[:2], ROWS[1:4], [*ROWS[:2], CHANGED], [*ROWS[:3], ROWS[3]], []],
    ids=["fewer", "others", "one that was changed", "more", "none"],
)
def test_rows_that_are_not_those_that_came_have_no_page(rows: list[Record]) -> None:
    """The archive has some of them, or one is shown without what its reader may not see."""
    ahead = CsvAhead(COLUMNS, 3, raw=False)
    ahead.add(ROWS)
    assert ahead.page(rows) is None
    assert ahead.page(ROWS[:3]) is not None
