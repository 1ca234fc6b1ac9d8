"""Which new prices are changes, and what the report says of them."""

import msgspec
import pytest

from maintenance.rerate.price_change import is_changed
from maintenance.rerate.report import RerateReport
from tollbook.model.call_key import CallKey
from tollbook.model.charge import UNKNOWN_REASON, Price, PricedCharge
from tollbook.store.tariffs.price_history import Replacement
from tollbook.store.tariffs.rerate import PricedCall

CHARGE = PricedCharge(direction="outbound", number="49", seconds=60, cost_micros=5, rate="DE")


def price(total_micros: int, currency: str = "EUR", **charge: object) -> Price:
    """A price of one charge, with some fields of the charge changed."""
    charges = (msgspec.structs.replace(CHARGE, **charge),)
    return Price(cost_micros=total_micros, currency=currency, parts=charges)


def unrated(reason: str) -> Price:
    return Price(cost_micros=None, unrated=reason, parts=())


OLD, UNRATED = price(5), unrated("no rate")


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (OLD, OLD, False),
        (OLD, price(5, rate="DE 2"), False),
        (OLD, price(6), True),
        (OLD, price(5, "USD"), True),
        (OLD, price(5, cost_micros=4), True),
        (UNRATED, unrated("no account"), True),
        (UNRATED, OLD, True),
        (unrated(UNKNOWN_REASON), UNRATED, False),
        (unrated(UNKNOWN_REASON), OLD, True),
    ],
)
def test_a_change_is_one_of_money_or_of_the_reason_for_no_price(old: Price, new: Price, changed: bool) -> None:
    assert is_changed(old, new) is changed


def change(account: str, old: Price, new: Price) -> Replacement:
    call = PricedCall(key=CallKey(1, "c", "sw"), account_id=account, revision=1, price=old)
    return Replacement(call=call, price=new)


def test_the_report_never_adds_two_currencies_and_names_twenty_accounts_at_most() -> None:
    report = RerateReport(dry_run=True)
    report.add(change("a0", OLD, price(7, "USD")))
    report.add(change("a0", UNRATED, OLD))
    for number in range(22):
        report.add(change(f"a{number}", OLD, UNRATED))
    lines = str(report).splitlines()
    assert lines[:4] == [
        "0 answered calls looked at, 24 would change",
        "now rated: 1; no longer rated: 22",
        "currency       calls              before               after          difference",
        "EUR               24            0.000115            0.000005           -0.000110",
    ]
    assert lines[4] == "USD                1            0.000000            0.000007            0.000007"
    assert lines[5] == "  account a0: 3 calls"
    assert lines[-2:] == ["  and 2 more accounts", "nothing was changed"]
