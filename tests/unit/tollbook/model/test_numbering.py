"""Numbers with a country code: the quick rule and the pattern from which numbering plans are made say the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.numbering import is_e164

PATTERN = re.compile(r"[17]\d{10}|[2-689]\d{6,14}", re.ASCII)


@pytest.mark.parametrize("first", "0123456789")
def test_what_is_e164_is_what_the_plans_patterns_take(first: str) -> None:
    """At every length."""
    for length in range(33):
        digits = first + "0" * length
        assert is_e164(digits) is (PATTERN.fullmatch(digits) is not None), digits


@given(st.text("0123456789", max_size=20))
def test_any_digits_are_e164_or_not_as_the_pattern_says(digits: str) -> None:
    assert is_e164(digits) is (PATTERN.fullmatch(digits) is not None)
