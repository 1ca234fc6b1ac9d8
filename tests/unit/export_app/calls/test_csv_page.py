"""CSV: what a reader reads is what the row held, and no spreadsheet runs what a caller wrote."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.calls.csv_page import _encode_with_quotes, _encode_without_quotes, encode_page
from tollbook.model.formula import defuse
from tollbook.model.record import COLUMNS

# PostgreSQL's text holds neither NUL nor lone surrogates.
hostile = st.text(
    st.one_of(
        st.sampled_from("\",\r\n\t;=+-@'\\ 0123456789\uff1d\ufeff"), st.characters(exclude_categories=["Cs"])
    ).filter(lambda letters: letters != "\0"),
    max_size=20,
)
field = st.one_of(hostile, st.none(), st.integers(0, 2**63 - 1))
row = st.lists(field, min_size=len(COLUMNS), max_size=len(COLUMNS))


def read(page: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(page.decode(), newline=""), strict=True))


def text(value: object) -> str:
    return "" if value is None else str(value)


@given(st.lists(row, max_size=5))
def test_raw_csv_gives_back_every_field(rows: list[list[object]]) -> None:
    """Commas, quotes, line breaks of any kind and other scripts survive; null is an empty field."""
    assert read(encode_page(rows, raw=True)) == [list(COLUMNS), *([text(value) for value in row] for row in rows)]


@given(st.lists(row, max_size=5))
def test_every_line_ends_in_crlf_and_nothing_else_breaks_lines_outside_quotes(rows: list[list[object]]) -> None:
    """RFC 4180, 2.1 and 2.6."""
    page = encode_page(rows).decode()
    assert page.endswith("\r\n")
    unquoted = "".join(page.split('"')[::2])
    assert unquoted.count("\r\n") == unquoted.count("\r") == unquoted.count("\n") == len(rows) + 1


@given(st.lists(row, max_size=5))
def test_every_text_is_defused(rows: list[list[object]]) -> None:
    """A field is what `defuse` makes of it, whichever way the page is encoded."""
    expected = [[defuse(value) if isinstance(value, str) else text(value) for value in row] for row in rows]
    assert read(encode_page(rows))[1:] == expected


def test_an_empty_page_is_a_header() -> None:
    """So a program that reads columns by name reads it too."""
    assert encode_page([]) == (",".join(COLUMNS) + "\r\n").encode()


mild = st.one_of(
    st.none(),
    st.integers(-5, 2**63 - 1),
    st.booleans(),
    st.sampled_from(
        [
            "null",
            "",
            "+49",
            "+",
            "++4",
            "-1",
            "=1",
            "@",
            "1,null",
            'a"b',
            "\\",
            "\t",
            "\r\nnull",
            "ä",
            "'x",
            " =",
            "\uff1d1",
            "x;=1",
            ";+49",
        ]
    ),
    hostile,
)


@given(st.lists(st.lists(mild, min_size=3, max_size=3), max_size=6), st.booleans())
def test_the_fast_way_writes_what_the_careful_way_writes(rows: list[list[object]], raw: bool) -> None:
    """Byte for byte, whenever it dares."""
    fast = _encode_without_quotes(rows, 3, raw=raw) if rows else None
    assert fast is None or fast == _encode_with_quotes(rows, raw=raw)


@pytest.mark.parametrize("raw", [False, True])
def test_the_fast_way_dares_what_calls_look_like(raw: bool) -> None:
    """Ordinary calls go the fast way: numbers with a +, nulls, other scripts."""
    ordinary = ["8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e", None, "+4930123456", "1001", 1790000000000, "Zoë", None]
    assert _encode_without_quotes([ordinary] * 2, 7, raw=raw) == _encode_with_quotes([ordinary] * 2, raw=raw)
