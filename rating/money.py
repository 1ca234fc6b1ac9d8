"""Amounts of money as text."""


def format_amount(micros: int | None) -> str:
    """Write an amount in units of its currency, to the micro; None, of what is not rated, is `none`."""
    return "none" if micros is None else f"{micros // 1_000_000}.{micros % 1_000_000:06}"
