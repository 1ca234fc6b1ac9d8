"""Amounts are exact until they are rounded once, at the end, halves away from zero, and taxes follow from the net."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollbook.errors import DataError
from tollbook.model.taxes import Tax, parse_taxes, written_taxes
from tollbook.statements.amounts import minor_digits, minutes, totals
from tollbook.statements.statement import Line

CURRENCIES = ("EUR", "JPY", "KWD")
_micros = st.integers(-(10**15), 10**15)


def line(micros: int, currency: str | None = "EUR", *, month: str = "2026-10", kind: str = "calls") -> Line:
    return Line(
        month=month, kind=kind, direction="outbound", destination="Germany", currency=currency, calls=1, billsec=60,
        minutes="1.00", amount_micros=micros,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "micros", "net"),
    [
        ("EUR", 5_000, "0.01"), ("EUR", 4_999, "0.00"), ("EUR", -5_000, "-0.01"), ("EUR", -4_999, "0.00"),
        ("JPY", 500_000, "1"), ("JPY", 499_999, "0"), ("KWD", 500, "0.001"), ("KWD", 2**63 - 1, "9223372036854.776"),
        ("EUR", 1_005_000, "1.01"), ("EUR", 1_015_000, "1.02"),
    ],
)  # fmt: skip
def test_the_net_is_rounded_to_the_digits_of_its_currency(currency: str, micros: int, net: str) -> None:
    """Two in euros, none in yen, three in Kuwaiti dinars; half a unit goes away from zero, also of a credit."""
    (total,) = totals([line(micros, currency)], {"2026-10": ()})
    assert (total.net, total.total, total.amount_micros) == (net, net, micros)


def test_lines_are_added_before_they_are_rounded() -> None:
    """Three lines of 0.004 are 0.012, and so 0.01; rounded one by one they would be nothing."""
    (total,) = totals([line(4_000)] * 3, {"2026-10": ()})
    assert total.net == "0.01"


def test_a_tax_is_due_on_the_rounded_net() -> None:
    """0.135 is 0.14 net, and 25 % of that are 0.035, so 0.04; 25 % of 0.135 would be 0.03. No tax is due on another."""
    (total,) = totals([line(135_000)], {"2026-10": parse_taxes("VAT=25,City=1.5")})
    assert total.net == "0.14"
    assert [(tax.name, tax.net, tax.tax) for tax in total.taxes] == [("VAT", "0.14", "0.04"), ("City", "0.14", "0.00")]
    assert total.total == "0.18"


def test_months_with_the_same_taxes_are_one_net_amount_and_others_are_taxed_as_they_were() -> None:
    """What is corrected keeps the rate of its month."""
    lines = [line(1_004_000), line(4_000, month="2026-09"), line(100_000_000, month="2026-08")]
    taxes = {"2026-10": parse_taxes("VAT=20"), "2026-09": parse_taxes("VAT=20"), "2026-08": parse_taxes("VAT=19")}
    (total,) = totals(lines, taxes)
    assert [(tax.rate, tax.net, tax.tax) for tax in total.taxes] == [("19", "100.00", "19.00"), ("20", "1.01", "0.20")]
    assert (total.net, total.total) == ("101.01", "120.21")


@example([(-4_999, "EUR"), (-499_999, "JPY")], "VAT=19")
@given(
    st.lists(st.tuples(_micros, st.sampled_from(CURRENCIES)), max_size=20), st.sampled_from(["", "VAT=19", "A=7.7,B=2"])
)
def test_what_is_printed_adds_up(amounts: list[tuple[int, str]], written: str) -> None:
    """Net and taxes make the total, within half a unit of the exact sum; a credit is its opposite; none is -0."""
    taxes = {"2026-10": parse_taxes(written)}
    found = totals([line(micros, currency) for micros, currency in amounts], taxes)
    credit = totals([line(-micros, currency) for micros, currency in amounts], taxes)
    assert {total.currency for total in found} == {currency for _, currency in amounts}
    for total, opposite in zip(found, credit, strict=True):
        exact = sum(micros for micros, currency in amounts if currency == total.currency)
        unit = Decimal(1).scaleb(-minor_digits(total.currency))
        assert total.amount_micros == exact
        assert abs(Decimal(total.net) - Decimal(exact).scaleb(-6)) <= unit / 2
        assert Decimal(total.net) + sum(Decimal(tax.tax) for tax in total.taxes) == Decimal(total.total)
        assert Decimal(total.total) == -Decimal(opposite.total)
        printed = [total.net, total.total, *(amount for tax in total.taxes for amount in (tax.net, tax.tax))]
        assert [amount for amount in map(Decimal, printed) if amount.is_signed() and not amount] == []


def test_what_has_no_currency() -> None:
    """Free calls without a plan count for no total; an amount without a currency is an error that says what to do."""
    assert totals([line(0, None)], {"2026-10": ()}) == ()
    with pytest.raises(DataError, match=r"calls of 2026-10 are priced without a currency: `tollbook rerate`"):
        totals([line(1, None)], {"2026-10": ()})


@pytest.mark.parametrize("currency", ["ZZZ", "XXX", "XAU"])
def test_a_currency_without_decimals_in_the_list_is_refused(currency: str) -> None:
    """Gold, and what is no currency, cannot be rounded."""
    with pytest.raises(DataError, match="ISO 4217"):
        totals([line(1, currency)], {"2026-10": ()})


def test_what_was_erased_is_in_no_total() -> None:
    """It is neither charged nor credited."""
    assert totals([line(-5_000_000, kind="erased")], {"2026-10": ()}) == ()


@pytest.mark.parametrize(("billsec", "shown"), [(0, "0.00"), (1, "0.02"), (60, "1.00"), (90, "1.50"), (-45, "-0.75")])
def test_minutes(billsec: int, shown: str) -> None:
    """Seconds by 60, to two decimals."""
    assert minutes(billsec) == shown


@pytest.mark.parametrize("text", ["", "VAT=19", "VAT=19,City tax=1.5"])
def test_taxes_as_they_are_written(text: str) -> None:
    """What is written is read back; the rate stays as it was written."""
    assert written_taxes(parse_taxes(text)) == text


@pytest.mark.parametrize(
    "text", ["VAT", "VAT=", "=19", "VAT=19%", "VAT=101", "VAT=-1", "VAT=1,VAT=2", "V=1.23456", "V=1e1"]
)
def test_what_is_no_tax(text: str) -> None:
    """Each is refused with a word on how it is written."""
    with pytest.raises(ValueError, match="tax"):
        parse_taxes(text)


def test_the_factor_of_a_rate() -> None:
    """In percent, as a decimal: no float has 7.7."""
    assert Tax(name="VAT", rate="7.7").factor == Decimal("0.077")
