"""The rate engine against tables, properties, and a slow reference that is obviously right."""

from fractions import Fraction
from itertools import permutations
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.deck import Deck
from rating.engine import AccountTariff, Tariffs, billed_seconds, price_micros
from tests.unit.rating.terms import on, rate, row
from tollbook.model.charge import Charge
from tollbook.model.doubts import Doubt
from tollbook.model.numbering import NumberingPlan, NumberingRow
from tollbook.model.rate import Rate
from tollbook.model.vocabulary import DIRECTIONS


@pytest.mark.parametrize(
    ("first", "following", "seconds", "billed"),
    [
        (60, 60, 0, 60), (60, 60, 1, 60), (60, 60, 60, 60), (60, 60, 61, 120), (60, 60, 3600, 3600),
        (30, 6, 0, 30), (30, 6, 29, 30), (30, 6, 30, 30), (30, 6, 31, 36), (30, 6, 36, 36), (30, 6, 37, 42),
        (1, 1, 0, 1), (1, 1, 1, 1), (1, 1, 59, 59), (1, 1, 86_400, 86_400),
        (60, 1, 59, 60), (60, 1, 60, 60), (60, 1, 61, 61),
        (1, 60, 1, 1), (1, 60, 2, 61), (1, 60, 61, 61), (1, 60, 62, 121),
        (6, 6, 7, 12), (3600, 3600, 1, 3600),
    ],
)  # fmt: skip
def test_increments(first: int, following: int, seconds: int, billed: int) -> None:
    assert billed_seconds(seconds, rate(first_increment_sec=first, increment_sec=following)) == billed


def cost(seconds: int, terms: Rate) -> int:
    return price_micros(billed_seconds(seconds, terms), terms)


@pytest.mark.parametrize(
    ("per_min", "fee", "seconds", "micros"),
    [
        (60_000, 0, 1, 1000), (60_000, 0, 60, 60_000), (0, 0, 500, 0), (0, 700, 500, 700),
        (1, 0, 1, 1),  # a sixtieth of a micro is a micro
        (1, 0, 60, 1), (1, 0, 61, 2), (59, 0, 1, 1), (61, 0, 1, 2), (7, 5, 13, 7),
        (10**9, 10**9, 86_400, 10**9 + 1440 * 10**9),
    ],
)  # fmt: skip
def test_prices_are_rounded_up_to_a_micro(per_min: int, fee: int, seconds: int, micros: int) -> None:
    terms = {"per_min_micros": per_min, "connection_fee_micros": fee}
    assert cost(seconds, rate(first_increment_sec=1, increment_sec=1, **terms)) == micros


rates = st.builds(
    rate,
    st.text("0123456789", max_size=5),
    per_min_micros=st.integers(0, 10**9),
    connection_fee_micros=st.integers(0, 10**9),
    increment_sec=st.integers(1, 3600),
    first_increment_sec=st.integers(1, 3600),
)


@given(rates, st.integers(0, 10**6), st.integers(0, 10**4))
def test_longer_calls_never_cost_less(terms: Rate, seconds: int, more: int) -> None:
    assert cost(seconds, terms) <= cost(seconds + more, terms)
    assert billed_seconds(seconds, terms) >= max(1, seconds)
    assert billed_seconds(seconds, terms) - max(1, seconds, terms.first_increment_sec) < terms.increment_sec


def reference(seconds: int, terms: Rate) -> int:
    """Count increments one by one, and money in fractions."""
    billed = terms.first_increment_sec
    while billed < max(1, seconds):
        billed += terms.increment_sec
    return ceil(terms.connection_fee_micros + Fraction(billed * terms.per_min_micros, 60))


def reference_match(deck: list[Rate], direction: str, number: str, at_ts: int) -> Rate | None:
    """Look at every rate of the plan."""
    fits = [
        entry
        for entry in deck
        if entry.direction == direction
        and number.startswith(entry.prefix)
        and entry.valid_from_ts <= at_ts
        and (entry.valid_to_ts is None or at_ts < entry.valid_to_ts)
    ]
    return max(fits, key=lambda entry: len(entry.prefix), default=None)


@st.composite
def decks(draw: st.DrawFn) -> list[Rate]:
    """Up to 20 prefixes over three digits, each with up to three rates that follow each other, perhaps with gaps."""
    deck: list[Rate] = []
    places = st.tuples(st.sampled_from(DIRECTIONS), st.text("123", max_size=4))
    for direction, prefix in draw(st.lists(places, max_size=20, unique=True)):
        times = sorted(draw(st.lists(st.integers(0, 12), min_size=1, max_size=6, unique=True)))
        for begin, end in zip(times[::2], [*times[1::2], None], strict=False):
            deck.append(
                rate(
                    prefix,
                    direction=direction,
                    rate_id=len(deck),
                    per_min_micros=draw(st.integers(0, 10**6)),
                    connection_fee_micros=draw(st.integers(0, 1000)),
                    increment_sec=draw(st.sampled_from([1, 6, 60])),
                    first_increment_sec=draw(st.sampled_from([1, 30, 60])),
                    valid_from_ts=begin,
                    valid_to_ts=end,
                )
            )
    return draw(st.permutations(deck))


@given(
    deck=decks(),
    base=decks(),
    parts=st.lists(
        st.tuples(st.sampled_from(DIRECTIONS), st.text("1234", min_size=1, max_size=7), st.integers(0, 400)), max_size=4
    ),
    at_ts=st.integers(0, 13),
    plus=st.sampled_from(["", "+"]),
)
def test_any_deck_prices_as_the_reference_does(
    deck: list[Rate], base: list[Rate], parts: list[tuple[str, str, int]], at_ts: int, plus: str
) -> None:
    price = Tariffs(accounts={"acme": on(deck, base)}).price(
        row(*((direction, plus + number, seconds) for direction, number, seconds in parts), start_ts=at_ts)
    )
    priced = {entry.direction for entry in (*deck, *base)}
    costs: list[int | None] = []
    for part, (direction, number, seconds) in zip(price.parts, parts, strict=True):
        own = reference_match(deck, direction, number, at_ts)
        found = own or reference_match(base, direction, number, at_ts)
        cost = 0 if direction not in priced else reference(seconds, found) if found else None
        costs.append(cost)
        assert part.cost_micros == cost
        assert (part.rate, part.rate_id) == ((found.name, found.rate_id) if found else (None, None))
        assert (part.billed_sec is None) == (found is None)
        assert (part.direction, part.number, part.seconds) == (direction, plus + number, seconds)
    if None in costs:
        assert price.cost_micros is None
        assert price.unrated
    else:
        assert price.cost_micros == sum(cost or 0 for cost in costs)
        assert price.unrated is None


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_rates_of_a_prefix_follow_each_other_whatever_their_order(order: tuple[int, ...]) -> None:
    """With a gap between the third and the fourth, in which the shorter prefix is asked; and they are told of ahead."""
    spans = [(10, 20), (20, 30), (30, 40), (50, None)]
    rates = [rate("49", rate_id=n, valid_from_ts=begin, valid_to_ts=end) for n, (begin, end) in enumerate(spans)]
    deck = Deck([rate("4", rate_id=9), *(rates[n] for n in order)])
    found = {at_ts: deck.match("outbound", "4930", at_ts) for at_ts in (9, 10, 19, 20, 29, 30, 39, 40, 49, 50, 99)}
    assert {at_ts: match.rate_id for at_ts, match in found.items() if match} == {
        9: 9, 10: 0, 19: 0, 20: 1, 29: 1, 30: 2, 39: 2, 40: 9, 49: 9, 50: 3, 99: 3,
    }  # fmt: skip
    assert [deck.begins_after("outbound", "4930", at_ts) for at_ts in (9, 10, 29, 30, 49, 50)] == [
        10, 20, 30, 50, 50, None,
    ]  # fmt: skip


def test_a_rate_is_in_force_from_its_first_instant_until_before_its_last() -> None:
    deck = Deck([rate("49", rate_id=2, valid_from_ts=20, valid_to_ts=30), rate("49", valid_from_ts=10, valid_to_ts=20)])
    found = {at: deck.match("outbound", "4930", at) for at in (9, 10, 19, 20, 29, 30)}
    assert {at: entry.rate_id if entry else None for at, entry in found.items()} == {
        9: None, 10: 1, 19: 1, 20: 2, 29: 2, 30: None,
    }  # fmt: skip


def test_a_longer_prefix_that_is_not_in_force_leaves_the_shorter_one() -> None:
    deck = Deck([rate("4", rate_id=4), rate("4930", rate_id=4930, valid_from_ts=10, valid_to_ts=20)])
    matches = [deck.match("outbound", "49301", at) for at in (5, 15, 20)]
    assert [match and match.rate_id for match in matches] == [4, 4930, 4]


def test_a_number_shorter_than_the_prefix_is_not_matched_and_an_equal_one_is() -> None:
    deck = Deck([rate("4930")])
    assert deck.match("outbound", "493", 0) is None
    assert deck.match("outbound", "4930", 0) is not None


TARIFFS = Tariffs(
    accounts={"acme": on([rate("49", per_min_micros=60_000)]), "planless": AccountTariff(), "empty": on([])}
)


@pytest.mark.parametrize("account", ["acme", "planless", "nobody", None])
@pytest.mark.parametrize("number", ["4930", "999", "anonymous"])
def test_an_unanswered_call_costs_nothing_whoever_made_it(account: str | None, number: str) -> None:
    price = TARIFFS.price(row(("outbound", number, 5), answered=0, answer_ts=None, billsec=0, account_id=account))
    assert (price.cost_micros, price.parts, price.unrated) == (0, (), None)


@pytest.mark.parametrize(
    ("account", "number", "reason"),
    [
        (None, "4930", "the call has no account"),
        ("nobody", "4930", "no such account"),
        ("planless", "4930", "the account has no rate plan"),
        ("acme", "3312", "no rate for outbound 3312"),
        ("acme", "anonymous", "no rate for outbound anonymous"),
        ("acme", "", "no rate for outbound "),
    ],
)
def test_a_call_that_cannot_be_priced_is_unrated_with_the_reason(account: str, number: str, reason: str) -> None:
    price = TARIFFS.price(row(("outbound", number, 60), account_id=account))
    assert (price.cost_micros, price.unrated) == (None, reason)
    assert [part.cost_micros for part in price.parts] == [None]


@pytest.mark.parametrize("direction", ["internal", "inbound"])
def test_a_direction_that_the_plan_does_not_price_is_free(direction: str) -> None:
    price = TARIFFS.price(row((direction, "1001", 60)))
    assert (price.cost_micros, price.unrated) == (0, None)


def test_the_cost_is_the_sum_of_the_parts() -> None:
    """An inbound call that was forwarded to a mobile: the call itself is free here, the trunk leg is paid."""
    price = TARIFFS.price(row(("inbound", "+4930", 120), ("outbound", "+49151", 61), ("outbound", "49152", 1)))
    assert [part.cost_micros for part in price.parts] == [0, 120_000, 60_000]
    assert price.cost_micros == 180_000


def test_one_unrated_part_makes_the_call_unrated() -> None:
    price = TARIFFS.price(row(("outbound", "49151", 61), ("outbound", "33", 1), ("outbound", "44", 1)))
    assert price.cost_micros is None
    assert price.unrated == "no rate for outbound 33; no rate for outbound 44"
    assert [part.cost_micros for part in price.parts] == [120_000, None, None]


def test_an_answered_call_without_parts_costs_nothing() -> None:
    assert TARIFFS.price(row()).cost_micros == 0
    assert TARIFFS.price(row(parts=None)).cost_micros == 0
    assert TARIFFS.price(row(account_id="empty")).cost_micros == 0


@given(deck=decks(), numbers=st.lists(st.text("1234", min_size=1, max_size=7), max_size=5), at_ts=st.integers(0, 13))
def test_a_price_computed_again_from_its_parts_is_the_same(deck: list[Rate], numbers: list[str], at_ts: int) -> None:
    """Live pricing and re-rating are one function."""
    tariffs = Tariffs(accounts={"acme": on(deck)})
    price = tariffs.price(row(*(("outbound", number, 61) for number in numbers), start_ts=at_ts))
    assert tariffs.price_charges("acme", at_ts, True, [part.charge for part in price.parts]) == price
    for part in price.parts:
        found = tariffs.rate_of("acme", at_ts, part)
        assert (found.rate_id if found else None) == part.rate_id


def test_a_price_that_no_column_can_hold_is_unrated() -> None:
    """A year at a billion a minute: the call is recorded, and the reason points to the rate."""
    tariffs = Tariffs(accounts={"acme": on([rate("44", per_min_micros=10**15)])})
    dear, fair = (
        tariffs.price_charges("acme", 0, True, [Charge(direction="outbound", number="441", seconds=seconds)])
        for seconds in (31_536_000, 31_536)
    )
    assert (dear.cost_micros, fair.cost_micros) == (None, 526 * 10**15)
    assert dear.unrated == "the price is larger than can be stored: is a rate of the plan wrong?"


# Every number is one of this plan.
ANY = NumberingRow(
    numbering_id="ANY",
    name="",
    country_code="",
    international_prefixes=[],
    national_prefixes=[],
    national_number="",
    bare_number=r"\d+",
    short_code="",
)


@pytest.mark.parametrize(
    ("number", "in_doubt"),
    [
        ("112", True),
        ("020 7946 0000", True),
        ("442079460000", False),
        ("+44 20 7946 0000", False),
        ("4930123456", False),
    ],
)
def test_a_number_without_its_country_code_is_in_doubt(number: str, in_doubt: bool) -> None:
    """Of an account that has no numbering plan: the prefix that priced it was meant for another number."""
    tariffs = Tariffs(accounts={"acme": on([rate("")]), "gb": on([rate("")], numbering=NumberingPlan(ANY))})
    charge = Charge(direction="outbound", number=number, seconds=60)
    price = tariffs.price_charges("acme", 0, True, [charge])
    assert price.cost_micros == 60_000
    assert price.doubts == ((Doubt("no_numbering", "acme"),) if in_doubt else ())
    assert tariffs.price_charges("gb", 0, True, [charge]).doubts == ()


@pytest.mark.parametrize(
    ("charges", "destination"),
    [
        ([("49", 10), ("44", 20)], "UK"),
        ([("44", 20), ("49", 20)], "UK"),
        ([("49", 20), ("33", 60)], "Germany"),
        ([("33", 60)], None),
        ([], None),
    ],
    ids=str,
)
def test_the_destination_is_the_rate_of_the_longest_charge_that_one_priced(
    charges: list[tuple[str, int]], destination: str | None
) -> None:
    """Of equally long ones that of the first; a charge without a rate has no name to give."""
    tariffs = Tariffs(accounts={"acme": on([rate("49", name="Germany"), rate("44", name="UK")])})
    parts = [Charge(direction="outbound", number=number, seconds=seconds) for number, seconds in charges]
    assert tariffs.price_charges("acme", 0, True, parts).destination == destination
    assert tariffs.price_charges("acme", 0, False, parts).destination is None
