"""Amounts of money as text."""

from decimal import Decimal


def format_amount(micros: int | None) -> str:
    """Write an amount in units of its currency, to the micro; None, of what is not rated, is `none`."""
    return "none" if micros is None else f"{Decimal(micros).scaleb(-6):.6f}"
