"""No cell of our CSV files begins a formula, however a spreadsheet splits the file."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollbook.model.formula import defuse

PLAIN_NUMBER = re.compile(r"\+[0-9]+")
SIGNS = "=+-@＝＋－＠"


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("+4930123456", "+4930123456"),
        ("1001", "1001"),
        ("", ""),
        ("O'Neill", "O'Neill"),
        ("8f4b3c52-6f0e-4f5e-9a54", "8f4b3c52-6f0e-4f5e-9a54"),
        ("sip:bob@example.com", "sip:bob@example.com"),
        ("Meyer, Anna; Berlin", "Meyer, Anna; Berlin"),
        ("two\nlines", "two\nlines"),
        ('[{"number":"+4930123456","seconds":5}]', '[{"number":"+4930123456","seconds":5}]'),
        ("+", "'+"),
        ("+49 30", "'+49 30"),
        ("+49\n", "'+49\n"),  # `$` in a pattern would let the line break pass
        ("+49,cmd|' /C calc'!A0", "'+49,cmd|' /C calc'!A0"),
        ("+٣", "'+٣"),
        ("++49", "'++49"),
        ("-49", "'-49"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tA", "'\tA"),
        ("\rA", "'\rA"),
        ("\nA", "'\nA"),
        ("\t=1", "'\t'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20A", "'\uff20A"),
        ("\u22121", "'\u22121"),
        (" =1", "' =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u3000=1", "'\u3000=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u200b\u2060=1", "'\u200b\u2060=1"),
        ("\x00\x1b=1", "'\x00\x1b=1"),
        (" \uff1d1", "' \uff1d1"),
        (" \nA", "' \nA"),
        ("Bob;=1", "Bob;'=1"),
        ("Bob,=1", "Bob,'=1"),
        ("Bob; \ufeff=1", "Bob;' \ufeff=1"),
        ("Bob;+4930", "Bob;'+4930"),
        ('Bob"=1', "Bob\"'=1"),
        ('";=1', "\";'=1"),
        ('"=1', "\"'=1"),
        ("Bob\n=1", "Bob\n'=1"),
        ("Bob\r\n=1;-2", "Bob\r'\n'=1;'-2"),
        ("Bob\t\uff20A", "Bob\t'\uff20A"),
        ('[{"number":"=1"}]', '[{"number":"\'=1"}]'),
    ],
)
def test_formulas_are_defused(given: str, safe: str) -> None:
    """Only a plain number may begin with a sign."""
    assert defuse(given) == safe


texts = st.text(
    st.one_of(st.sampled_from(f"{SIGNS}\"',;\r\n\t \ufeff\u200b\u00a001"), st.characters(exclude_categories=["Cs"])),
    max_size=12,
)


@given(texts, st.sampled_from(",;\t"))
@example('";=1', ";")
def test_no_cell_begins_a_formula_whichever_separator_is_chosen(text: str, separator: str) -> None:
    """A line of the file that is split at `,`, `;` or tabs, with our quotes or without, has no cell that runs."""
    line = io.StringIO(newline="")
    csv.writer(line).writerow(("id", defuse(text), "end"))
    for cell in (*line.getvalue().split(separator), *re.split(r"[,;\t\r\n]", line.getvalue())):
        shown = re.sub(r"\A[\"\s\ufeff\u200b\u00a0]+", "", cell)
        assert shown[:1] not in SIGNS or not shown or PLAIN_NUMBER.fullmatch(shown.strip()), (cell, line.getvalue())


@given(texts)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    """So a deck that is exported and imported again is the same, however often; and nothing but `'` is ever added."""
    once = defuse(text)
    assert defuse(once) == once
    assert once.replace("'", "") == text.replace("'", "")
