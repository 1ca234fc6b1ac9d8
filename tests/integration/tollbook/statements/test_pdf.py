"""The PDF of a statement: what an accountant looks for is in it, on every page, whatever the texts hold."""

import datetime as dt
import io

import pytest
from pypdf import PdfReader

from tests.statements import statement
from tollbook.statements.pdf import encode_pdf
from tollbook.statements.statement import freeze


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def test_a_statement_has_what_an_accountant_looks_for() -> None:
    """Number, date, period, parties, tax ids, currency, lines, subtotal, net, tax, total, and the hash."""
    issued = freeze(statement(number="T-000007"))
    (text,) = pages(encode_pdf(issued))
    for wanted in (
        "Statement T-000007", "Date of issue: 2026-11-02", "Period of service: 2026-10-01 to 2026-10-31 (UTC)",
        "Tele GmbH", "Straße 1", "Tax id: DE1", "Acme Ltd", "Account acme", "Currency: EUR", "Germany", "1.50",
        "10.000000", "Subtotal", "Net, rounded (EUR)", "VAT 19 % of 10.00", "1.90", "Total due (EUR)", "11.90",
        "1 calls have not ended, 2 have no price yet (1.08 minutes)", "Page 1 of 1", issued.sha256,
    ):  # fmt: skip
        assert wanted in text, wanted


def test_a_draft_says_so() -> None:
    """No number, no date of issue, no hash."""
    issued = freeze(statement())
    (text,) = pages(encode_pdf(issued))
    assert "Draft statement" in text
    assert "A draft: not issued, and it may change" in text
    assert "Date of issue" not in text
    assert issued.sha256 not in text


def test_many_lines_are_many_pages_with_a_heading_each() -> None:
    """None is lost at a page's end, and each page says which of how many it is."""
    found = pages(encode_pdf(freeze(statement(number="T-1", lines=500))))
    assert len(found) > 9
    for number, text in enumerate(found, start=1):
        assert f"Page {number} of {len(found)}" in text
        assert "Destination" in text or number == len(found)
    whole = "\n".join(found)
    assert [place for place in range(1, 500) if f"Destination {place:05}" not in whole] == []


def test_the_same_statement_is_the_same_bytes() -> None:
    """Whenever it is written: it says when it was issued. So whoever gets the file can be sent its hash."""
    issued = freeze(statement(number="T-1", name="שלום 中文"))
    pdf = encode_pdf(issued)
    assert pdf == encode_pdf(issued)
    metadata = PdfReader(io.BytesIO(pdf)).metadata
    assert metadata is not None
    assert metadata.creation_date == dt.datetime(2026, 11, 2, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    [
        "<b>&amp;</b>", "(a) Tj ET \\", "{nb}", "**bold** __u__ [x](javascript:1)",
        "中文字", "مرحبا", "שלום", "नमस्ते", "😀", "e\u0301\u200d", "x" * 5000,
        "\ufffe", "a b " * 500,
    ],
    ids=ascii,
)  # fmt: skip
def test_any_text_is_drawn(text: str) -> None:
    """No text is markup here, none breaks the file or runs out of its column."""
    pdf = encode_pdf(freeze(statement(number="T-1", destination=text, name=text[:200])))
    found = pages(pdf)
    assert len(found) == 1
    assert "Total due (EUR)" in found[0]
    assert b"javascript" not in pdf
    if text.isascii() and len(text) < 40:
        assert text in found[0] or text == "{nb}"
