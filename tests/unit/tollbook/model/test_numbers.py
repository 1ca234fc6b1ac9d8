"""Numbers as people write them become the digits that prefixes are compared with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.numbers import digits_of, number_of, owner_key, same_line


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
        ("12#", "12"),
        ("#", None),
        ("1#2", None),
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


@pytest.mark.parametrize(
    ("stated", "number"),
    [
        ("12125550100", "12125550100"),
        ("+12125550100", "+12125550100"),
        ("12125550100;npdi;rn=12125559999", "12125550100"),
        ("+12125550100;phone-context=+1@host", "+12125550100"),
        ("sip:+12125550100@192.0.2.9:5060;user=phone", "+12125550100"),
        ("SIPS:12125550100", "12125550100"),
        ("tel:+1-212-555-0100;ext=12;isub=3", "+1-212-555-0100"),
        ("12125550100%pbx.example", "12125550100"),
        ("1:3/0301234567", "0301234567"),
        ("sofia/external/12125550100@[2001:db8::1]:5060", "12125550100"),
        ("*67#12125550100#", "*67#12125550100#"),
        ("77#12125550100", "77#12125550100"),
        ("support", "support"),
        (";ext=1", ""),
        ("", ""),
    ],
)
def test_a_number_ends_before_its_parameters(stated: str, number: str) -> None:
    assert number_of(stated) == number


@given(st.text())
def test_the_number_of_a_number_is_itself(stated: str) -> None:
    """So it does not matter who takes it first: the row, or whoever looks up its owner."""
    assert number_of(number_of(stated)) == number_of(stated)


def test_an_owned_number_may_be_written_with_parameters_or_with_a_slash() -> None:
    assert owner_key("tel:+49-30-1234567;ext=1") == "49301234567"
    assert owner_key("030/1234567") == "0301234567"
    assert owner_key("8005550100#") == "8005550100"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("+442079460001", "02079460001", True),
        ("77#15551230001", "5551230001", True),
        ("112", "112", True),
        ("112", "5550112", False),
        ("support", "sales", False),
    ],
)
def test_two_numbers_are_one_line_by_their_last_digits(left: str, right: str, same: bool) -> None:
    assert same_line(left, right) == same
