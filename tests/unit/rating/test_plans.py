"""An account's plan, its base and its numbering plan choose the rate of each number."""

from rating.engine import AccountTariff, Assignment, Tariffs
from tests.unit.rating.terms import AT, on, plan, rate, row
from tollbook.model.numbering import DialledNumber, NumberingPlan, NumberingRow
from tollbook.times import MS_PER_DAY, written

GB = NumberingPlan(
    NumberingRow(
        numbering_id="GB",
        name="United Kingdom",
        country_code="44",
        international_prefixes=["00"],
        national_prefixes=["0"],
        national_number=r"[1-9]\d{9}",
        bare_number="",
        short_code=r"999|1\d{2}",
    )
)


def test_an_own_prefix_goes_before_a_longer_one_of_the_base() -> None:
    """A price for 44 is one for 447 too, whatever the base says; what the plan does not know is the base's."""
    own, base = [rate("44", rate_id=1)], [rate("447", rate_id=2), rate("49", rate_id=3), rate("", rate_id=4)]
    priced = Tariffs(accounts={"acme": on(own, base)}).price(
        row(("outbound", "447700900123", 1), ("outbound", "4930", 1), ("outbound", "33", 1))
    )
    assert [part.rate_id for part in priced.parts] == [1, 3, 4]


def test_an_own_rate_that_is_over_leaves_the_bases() -> None:
    own, base = [rate("44", rate_id=1, valid_to_ts=AT)], [rate("4", rate_id=2)]
    found = [plan(own, base).match("outbound", DialledNumber(digits="44"), at) for at in (AT - 1, AT)]
    assert [match.rate_id for match in found if match] == [1, 2]


def test_a_base_prices_a_direction_for_the_plan() -> None:
    """A direction is left unpriced only when neither has a rate for it."""
    tariffs = Tariffs(accounts={"acme": on([rate("44")], [rate("1", direction="inbound")])})
    assert tariffs.price(row(("inbound", "2", 1))).unrated == "no rate for inbound 2"
    assert tariffs.price(row(("internal", "2", 1))).cost_micros == 0


def test_a_call_is_priced_by_the_plan_of_its_start() -> None:
    """Plans change at an instant: before the first and under `none` a call is unrated, and each has its currency."""
    tariff = AccountTariff(
        assignments=(
            Assignment(from_ts=10, plan=plan([rate("4", rate_id=1)])),
            Assignment(from_ts=20, plan=plan([rate("4", rate_id=2)], currency="USD")),
            Assignment(from_ts=30, plan=None),
        )
    )
    prices = [
        Tariffs(accounts={"acme": tariff}).price(row(("outbound", "49", 60), start_ts=at))
        for at in (9, 10, 19, 20, 29, 30)
    ]
    assert [(price.parts[0].rate_id, price.currency) for price in prices] == [
        (None, None), (1, "EUR"), (1, "EUR"), (2, "USD"), (2, "USD"), (None, None),
    ]  # fmt: skip
    assert {price.unrated for price in (prices[0], prices[-1])} == {"the account has no rate plan at this time"}


def test_only_numbers_that_were_dialled_are_read_by_the_numbering_plan() -> None:
    """An own number comes from a carrier in the carrier's form; an extension is not a number of any country."""
    tariffs = Tariffs(
        accounts={
            "acme": on(
                [
                    rate("44", rate_id=1),
                    rate("999", rate_id=2),
                    rate("4420", direction="inbound", rate_id=3),
                    rate("1", direction="internal", rate_id=4),
                ],
                numbering=GB,
            )
        }
    )
    price = tariffs.price(
        row(
            ("outbound", "02079460000", 1),
            ("outbound", "999", 1),
            ("inbound", "442079460000", 1),
            ("internal", "1001", 1),
        )
    )
    assert [(part.digits, part.rate_id) for part in price.parts] == [
        ("442079460000", 1), ("999", 2), ("442079460000", 3), ("1001", 4),
    ]  # fmt: skip


def test_a_short_code_has_a_rate_of_its_own_or_none() -> None:
    """112 is not the beginning of a number in +1, and no rate for every number is meant for it."""
    tariffs = Tariffs(accounts={"acme": on([rate("1"), rate(""), rate("101", rate_id=7)], numbering=GB)})
    assert tariffs.price(row(("outbound", "112", 1))).unrated == "no rate for outbound short code 112"
    assert tariffs.price(row(("outbound", "101", 1))).parts[0].rate_id == 7


def test_an_unknown_form_is_unrated_and_says_so() -> None:
    price = Tariffs(accounts={"acme": on([rate("")], numbering=GB)}).price(row(("outbound", "442079460000", 1)))
    assert price.unrated == "no number of numbering plan GB: outbound 442079460000"


def test_a_rate_that_begins_after_the_call_is_named() -> None:
    """The first to begin of those that match, the plan's or a base's; a short code is matched whole."""
    own = [rate("4", valid_from_ts=AT + 2 * MS_PER_DAY), rate("449", valid_from_ts=AT + 1), rate("1")]
    base = [rate("44", valid_from_ts=AT + MS_PER_DAY), rate("99", valid_from_ts=AT + 5)]
    tariffs = Tariffs(accounts={"acme": AccountTariff(assignments=on(own, base).assignments, numbering=GB)})
    unrated = tariffs.price(row(("outbound", "+447700900123", 1), ("outbound", "999", 1))).unrated
    assert unrated == (
        f"no rate for outbound +447700900123: the first that matches begins {written(AT + MS_PER_DAY)}, after the call;"
        " no rate for outbound short code 999"
    )
