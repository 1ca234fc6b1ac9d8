"""Rates, made from rows of the database by position."""

from tollbook.model.rate import RATE_COLUMNS, Rate


def test_the_columns_are_the_fields_in_their_order() -> None:
    """Two integers that changed places would be taken silently: a fee for a price, or an increment for another."""
    assert Rate.__struct_fields__ == RATE_COLUMNS
