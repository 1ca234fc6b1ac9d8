"""The cells of a deck: what a price, an increment or a time is written like, as decks really come.

Spreadsheets in half of Europe separate columns by `;` and write a decimal comma. Such a comma is read where the first
line shows it by its semicolons; anywhere else 1,500 may be one and a half, or fifteen hundred.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from tollbook.times import instant

# A billion units a minute. It guards the arithmetic, and supposes nothing of the currency: a minute to a satellite
# costs 65,000 in Indonesia and 4,000,000 in Iran.
MAX_MICROS = 10**15
# Raises Inexact where the default context would round an amount to 28 digits, which could make it a whole micro.
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
_MAX_INCREMENT_SEC = 3600

# Decimal() would also take underscores, Arabic digits and NaN.
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]*", re.ASCII)


class DecimalMark:
    """What separates units from fractions in one file: a point; or a comma, where `may_be_comma`. Never both."""

    def __init__(self, *, may_be_comma: bool) -> None:
        self._may_be_comma = may_be_comma
        self._seen = ""

    def with_point(self, column: str, text: str) -> str:
        """Return an amount with a decimal point. Raises ValueError where its mark is not the file's."""
        mark = "," if "," in text else "." if "." in text else ""
        if mark == "," and not self._may_be_comma:
            raise ValueError(
                f"{column} {text!r} is not an amount: a decimal comma is read where the columns are separated by ;"
            )
        if mark == "," and _WITH_COMMA.fullmatch(text) is None:
            raise ValueError(f"{column} {text!r} is not an amount: write 1234,5 without separators of thousands")
        if mark and self._may_be_comma:
            if self._seen and mark != self._seen:
                raise ValueError(f"{column} {text!r}: other amounts of the file have a decimal {_NAMES[self._seen]}")
            self._seen = mark
        return text.replace(",", ".")


_NAMES = {",": "comma", ".": "point"}


# A deck of a million rates has a few thousand prices, a dozen increments and a handful of dates.
@lru_cache(maxsize=10_000)
def micros(column: str, text: str, unit: int) -> int:
    """Return an amount in micros; `unit`: how many 1 is. Raises ValueError for any other text, or a finer amount."""
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{column} {text!r} is not an amount")
    try:
        amount = Decimal(text)
        if not 0 <= amount <= Decimal(MAX_MICROS) / unit:
            raise ValueError(f"{column} {text} is not between 0 and {MAX_MICROS // unit}")
        return int(_EXACT.quantize(_EXACT.multiply(amount, unit), Decimal(1)))
    except Inexact:
        raise ValueError(f"{column} {text} is finer than a micro: round it") from None
    except InvalidOperation:
        raise ValueError(f"{column} {text!r} is not an amount") from None


@lru_cache(maxsize=1_000)
def increments(text: str) -> tuple[int, int]:
    """Return the first and the next increment (s) of `60/1`. Raises ValueError."""
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"increment {text!r} is not written like 60/60, 30/6 or 1/1")
    first, following = (int(part[:9]) for part in parts)
    if not (1 <= first <= _MAX_INCREMENT_SEC and 1 <= following <= _MAX_INCREMENT_SEC):
        raise ValueError(f"increment {text!r}: each must be from 1 to {_MAX_INCREMENT_SEC} seconds")
    return first, following


@lru_cache(maxsize=1_000)
def time_ms(text: str) -> int | None:
    """Return a time (epoch ms), None for an empty cell. Raises ValueError."""
    return instant(text) if text else None
