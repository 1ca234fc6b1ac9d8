"""Amounts as text."""

import pytest

from tollbook.model.money import format_amount


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.000000"),
        (1, "0.000001"),
        (14_534, "0.014534"),
        (1_000_000, "1.000000"),
        (-1, "-0.000001"),
        (-1_500_000, "-1.500000"),
        (2**63 - 1, "9223372036854.775807"),
        (-(2**63), "-9223372036854.775808"),
        (None, "none"),
    ],
)
def test_an_amount_is_written_to_the_micro(micros: int | None, text: str) -> None:
    """With its sign before it, as a correction has, and exactly up to the largest that the database holds."""
    assert format_amount(micros) == text
