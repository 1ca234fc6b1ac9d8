"""Numbers as people write them become the digits that prefixes are compared with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.numbers import digits_of


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+4930123456", "4930123456"),
        ("4930123456", "4930123456"),
        ("+49 (30) 123-456", "4930123456"),
        ("030/123.456", "030123456"),
        (" +1 555 ", "1555"),
        ("0", "0"),
        ("", None),
        ("+", None),
        ("++49", None),
        ("49+30", None),
        ("anonymous", None),
        ("*97", None),
        ("12#", None),
        ("1001@host", None),
        ("٠١٢", None),
        ("１２", None),
        ("²", None),
        ("12\n", None),
        ("1\u00a02", None),
    ],
)
def test_a_number_is_normalised(written: str, digits: str | None) -> None:
    assert digits_of(written) == digits


@given(st.text())
def test_what_comes_out_is_digits_or_nothing_and_stays_as_it_is(written: str) -> None:
    digits = digits_of(written)
    assert digits is None or (digits.isascii() and digits.isdigit())
    assert digits is None or digits_of(digits) == digits_of(f"+{digits}") == digits
