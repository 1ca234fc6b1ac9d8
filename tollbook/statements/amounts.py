"""Money and minutes as a statement shows them. Amounts are rounded once, at the end: the net of each set of taxes.

Half a unit is rounded away from zero, so that a credit is the exact opposite of the debit that it takes back. A tax is
computed on the rounded net amount, and rounded alike: net and taxes then add up to the total on paper. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from iso4217 import Currency

from tollbook.errors import DataError
from tollbook.model.statement_sums import LineSums
from tollbook.model.taxes import Tax
from tollbook.statements.statement import Line, TaxAmount, Total

_HUNDREDTH: Final = Decimal("0.01")
# Sums of 64-bit amounts, with a tax, have fewer digits.
_PRECISION: Final = 60


def minor_digits(currency: str) -> int:
    """Return how many decimals a currency has by ISO 4217; raises DataError for a code that it does not list."""
    try:
        digits = Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise DataError(
            f"ISO 4217 does not say how many decimals {currency!r} has: give the plan a currency that it lists"
        )
    return digits


def rounded(amount: Decimal, digits: int) -> Decimal:
    """Round an amount to so many decimals, halves away from zero."""
    with localcontext(prec=_PRECISION):
        return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0  # never -0.00


def minutes(billsec: int) -> str:
    """Return seconds as minutes with two decimals, halves away from zero; of each line by itself."""
    with localcontext(prec=_PRECISION):
        return f"{(Decimal(billsec) / 60).quantize(_HUNDREDTH, ROUND_HALF_UP) + 0:f}"


def totals(lines: Iterable[Line], taxes_of: Mapping[str, Sequence[Tax]]) -> tuple[Total, ...]:
    """Add up the lines by currency; `taxes_of`: the taxes of each month that has a line.

    What is `erased` counts for nothing, and neither do free calls without a currency. Raises DataError for an amount
    without a currency, and for a currency that ISO 4217 does not list.
    """
    by_currency: dict[str, dict[tuple[Tax, ...], LineSums]] = {}
    for line in lines:
        if line.kind == "erased":
            continue
        if line.currency is None:
            if line.amount_micros:
                raise DataError(
                    f"calls of {line.month} are priced without a currency: `tollbook rerate` prices them again"
                )
            continue
        by_tax = by_currency.setdefault(line.currency, {})
        taxes = tuple(taxes_of[line.month])
        by_tax[taxes] = by_tax.get(taxes, LineSums()) + line.sums
    return tuple(_total(currency, by_currency[currency]) for currency in sorted(by_currency))


def _total(currency: str, by_tax: Mapping[tuple[Tax, ...], LineSums]) -> Total:
    digits = minor_digits(currency)
    sums, net, tax_sum = LineSums(), Decimal(), Decimal()
    amounts: list[TaxAmount] = []
    for taxes, part in sorted(by_tax.items(), key=lambda item: [(tax.name, tax.rate) for tax in item[0]]):
        sums += part
        part_net = rounded(Decimal(part.cost_micros).scaleb(-6), digits)
        net += part_net
        for tax in taxes:
            due = rounded(part_net * tax.factor, digits)
            tax_sum += due
            amounts.append(TaxAmount(name=tax.name, rate=tax.rate, net=f"{part_net:f}", tax=f"{due:f}"))
    return Total(
        currency=currency,
        calls=sums.calls,
        billsec=sums.billsec,
        minutes=minutes(sums.billsec),
        amount_micros=sums.cost_micros,
        net=f"{rounded(net, digits):f}",
        taxes=tuple(amounts),
        total=f"{rounded(net + tax_sum, digits):f}",
    )
