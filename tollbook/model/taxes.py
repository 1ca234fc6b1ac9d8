"""Taxes: a name and a rate in percent, as an operator writes them: `VAT=19, City tax=1.5`. Pure."""

import re
from decimal import Decimal
from typing import Final

import msgspec

#: More than any country asks of one sale.
MAX_TAXES: Final = 5
_RATE: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
_NAME: Final = re.compile(r"[^=,\x00-\x1f\x7f]{1,40}")


class Tax(msgspec.Struct, frozen=True, kw_only=True):
    """A tax on the net amount; `rate` is in percent, as it was written, such as `19` or `7.7`."""

    name: str
    rate: str

    @property
    def factor(self) -> Decimal:
        """What the net amount is multiplied by."""
        return Decimal(self.rate) / 100


def parse_taxes(text: str) -> tuple[Tax, ...]:
    """Parse `NAME=PERCENT`, several separated by commas; raise ValueError that says how they are written."""
    taxes = [_parse(word) for word in text.split(",") if word.strip()]
    if len(taxes) > MAX_TAXES:
        raise ValueError(f"at most {MAX_TAXES} taxes can be on a statement")
    if len({tax.name for tax in taxes}) < len(taxes):
        raise ValueError("two taxes have the same name")
    return tuple(taxes)


def _parse(word: str) -> Tax:
    name, _, rate = (part.strip() for part in word.partition("="))
    if not _NAME.fullmatch(name) or not _RATE.fullmatch(rate) or Decimal(rate) > 100:
        raise ValueError(f"{word.strip()!r} is no tax: write NAME=PERCENT, such as VAT=19 or VAT=7.7")
    return Tax(name=name, rate=rate)


def written_taxes(taxes: tuple[Tax, ...]) -> str:
    """Write taxes so that `parse_taxes` reads them."""
    return ",".join(f"{tax.name}={tax.rate}" for tax in taxes)
