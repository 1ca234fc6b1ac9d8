"""`ErasedNumber`: which texts name a number."""

import pytest

from maintenance.erase.number import ErasedNumber


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+33123456789", "+33-1-23-45-67-89"),
        ("+33123456789", "tel:+33-1-23-45-67-89"),
        ("+33123456789", "{a=b}sofia/gateway/paris/+33 1 23 45 67 89,user/1001"),
        ("12345678", "12.34.56.78"),
        ("030/1234567", "0301234567"),
        ("0301234567", "030/1234567"),
    ],
)
def test_separators_hide_no_number(number: str, text: str) -> None:
    """Alone, in a URI, and in a dial string."""
    assert ErasedNumber(number, "acme", {}).named_in([text], "acme")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1001", "sofia/internal/1000@1.0.0.1"),
        ("1001", "sofia/external/1.0.0.1"),
        ("10203040", "{ip=10.20.30.40}user/1000"),
        ("1234567", "user/12345678"),
        ("84001234567", "sofia/internal/a8400-1234-567b"),
    ],
)
def test_an_address_and_an_id_are_no_numbers(number: str, text: str) -> None:
    """Although their digits are the number's."""
    assert not ErasedNumber(number, "acme", {}).named_in([text], "acme")


@pytest.mark.parametrize(
    "text",
    [
        "33123456789@192.0.2.7", "/rec/acme/2026-11-29_+33123456789_1001.wav", "<sip:+33123456789@host>;reason=busy",
        "+33 1 23 45 67 89",
    ],
)  # fmt: skip
def test_a_call_id_a_path_and_a_variable_can_hold_a_number(text: str) -> None:
    assert ErasedNumber("+33123456789", "acme", {}).held_by([text], "acme")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1001", "1001"),
        ("1001", "/rec/1001.wav"),
        ("33123456789", "a33123456789@host"),
        ("33123456789", "331234567890@host"),
        ("12345678", "12345678a-0000-4000-8000-000000000000"),
        ("10203040", "10.20.30.40"),
    ],
)
def test_a_short_number_or_a_part_of_an_id_is_not_held(number: str, text: str) -> None:
    """1001 may be a campaign: a call that was not asked for must not be erased."""
    assert not ErasedNumber(number, "acme", {}).held_by([text], "acme")


def test_all_spellings_have_one_form() -> None:
    """By which an unfinished erasure goes on; it is the same number again."""
    for text in ("+33 1 23-45.67/89", "+33123456789", "33123456789"):
        number = ErasedNumber(text, None, {})
        assert (number.canonical, ErasedNumber(number.canonical, None, {}).sought) == ("+33123456789", "6789")
    assert ErasedNumber("1001", "acme", {}).canonical == "1001"
