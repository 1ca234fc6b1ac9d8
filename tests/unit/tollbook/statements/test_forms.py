"""The forms of a statement: canonical JSON that anybody can hash, and CSV that no spreadsheet runs."""

import csv
import hashlib
import io
import json

import pytest
from msgspec.structs import replace

from tests.statements import statement
from tollbook.errors import DataError
from tollbook.model.party import checked_text, parse_address
from tollbook.statements.as_csv import COLUMNS, encode_csv
from tollbook.statements.as_json import encode_json
from tollbook.statements.statement import freeze, thaw


def test_anybody_can_compute_the_hash() -> None:
    """Sorted names, no blanks, UTF-8: what `jq -cjS .statement` prints of the JSON."""
    issued = freeze(statement(number="T-000001", destination='Ünï "q" \\ \u2028中'))
    answer = json.loads(encode_json(issued))
    canonical = json.dumps(answer["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == answer["sha256"] == issued.sha256
    assert thaw(issued.content.decode(), issued.sha256) == issued


def test_a_draft_has_no_hash() -> None:
    """It may change."""
    assert json.loads(encode_json(freeze(statement())))["sha256"] is None


def test_content_that_was_changed_is_refused() -> None:
    """A restored or edited row must not pass for what was issued."""
    issued = freeze(statement(number="T-000001"))
    with pytest.raises(DataError, match="SHA-256"):
        thaw(issued.content.decode().replace("Germany", "France"), issued.sha256)


def test_csv_has_lines_totals_and_what_is_not_counted() -> None:
    """RFC 4180; amounts of lines exact, of totals rounded; a formula is made harmless, a negative number is none."""
    text = encode_csv(statement(number="T-000001", destination="=1+1,2", micros=-4_000)).decode()
    assert text.count("\r\n") == text.count("\n")
    first, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(first) == COLUMNS
    assert {tuple(row[:2]) for row in rows} == {("acme", "T-000001")}
    assert [row[2:] for row in rows] == [
        ["calls", "2026-10", "outbound", "'=1+1,2", "", "", "EUR", "2", "90", "1.50", "-0.004000"],
        ["net", "2026-10", "", "", "", "", "EUR", "2", "90", "1.50", "0.00"],
        ["tax", "2026-10", "", "", "VAT", "19", "EUR", "", "", "", "0.00"],
        ["total", "2026-10", "", "", "", "", "EUR", "2", "90", "1.50", "0.00"],
        ["open", "2026-10", "", "", "", "", "", "1", "", "", ""],
        ["unrated", "2026-10", "", "", "", "", "", "2", "65", "1.08", ""],
    ]


def test_content_of_another_version_is_refused() -> None:
    """Its fields may mean something else, also where each of them can be read."""
    issued = freeze(replace(statement(number="T-1"), version=2))
    with pytest.raises(DataError, match="has version 2, and this Tollbook reads version 1"):
        thaw(issued.content.decode(), issued.sha256)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\x00", "a\x1b[31m", "1\u202e00", "x" * 201, "a\ud800"])
def test_texts_that_no_line_can_show_are_refused(text: str) -> None:
    """Control characters, what turns the direction of a line, lone surrogates, and more than there is room for."""
    with pytest.raises(ValueError, match=r"write at most|no printed line"):
        checked_text(text, 200)


def test_an_address_has_lines() -> None:
    """Separated by semicolons; empty ones are left out, and there are at most eight."""
    assert parse_address(" Straße 1 ;; 10115 Berlin ") == ("Straße 1", "10115 Berlin")
    with pytest.raises(ValueError, match="at most 8 lines"):
        parse_address(";".join("abcdefghi"))
