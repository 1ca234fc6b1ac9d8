"""Random calls over random plans cost what docs/rating.md says: against a reference written from that page alone."""

from collections import Counter
from collections.abc import Iterator
from random import Random, SystemRandom

import pytest

from tests.databases import NewDatabase
from tests.integration.rating.random_tariffs import Call, RandomTariffs
from tests.integration.rating.reference import Price, PricedPart
from tests.integration.rating.reference_numbering import NUMBERING, digits_of, readings
from tollbook.model.charge import Charge
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs

# What must come up among a few hundred calls, lest the comparison is of nothing.
KINDS = {
    "unanswered", "no plan", "priced", "unrated", "too large", "a direction without rates", "a rate of a base",
    "digits", "E.164", "short code", "service code", "no reading",
}  # fmt: skip


def product_price(world: RandomTariffs, call: Call) -> Price:
    charges = [Charge(direction=direction, number=number, seconds=seconds) for direction, number, seconds in call.parts]
    price = world.tariffs.price_charges(call.account_id, call.at_ms, call.answered, charges)
    parts = tuple(PricedPart(part.billed_sec, part.rate, part.plan) for part in price.parts)
    return Price(price.cost_micros, price.currency, parts)


def compare(new_database: NewDatabase, seed: int, calls: int) -> Counter[str]:
    """Price calls in one random world, and return how many there were of each kind."""
    seen: Counter[str] = Counter()
    with new_database() as url, connect(url, name="test") as connection:
        world = RandomTariffs(connection, Random(seed))
        for _ in range(calls):
            call = world.call()
            expected = world.reference.price(call.account_id, call.at_ms, call.answered, call.parts)
            assert product_price(world, call) == expected, f"seed {seed}: {call}"
            seen.update(("calls", *kinds(world, call, expected)))
    return seen


def kinds(world: RandomTariffs, call: Call, price: Price) -> Iterator[str]:
    """Say what a call is an example of."""
    if not call.answered:
        yield "unanswered"
    elif price.currency is None:
        yield "no plan"
    elif price.cost is None:
        yield "too large" if all(part.billed for part in price.parts) else "unrated"
    elif price.cost > 0:
        yield "priced"
    for (direction, number, _), part in zip(call.parts, price.parts, strict=False):
        account = world.reference.accounts.get(call.account_id or "")
        if account is None or price.currency is None:
            continue
        if part.billed is None:
            if price.cost is not None:
                yield "a direction without rates"
            elif direction == "outbound" and account.numbering and not readings(account.numbering, number):
                yield "no reading"
        else:
            if part.plan != account.plan_at(call.at_ms):
                yield "a rate of a base"
            if direction != "outbound" or account.numbering is None:
                yield "digits"
            else:
                ((_, short),) = readings(account.numbering, number)
                yield "short code" if short else "E.164"
                if digits_of(number) is None:  # *31# and the like
                    yield "service code"


def test_the_numbering_plans_of_the_page_are_those_of_the_database(database: Connection) -> None:
    """Country codes, prefixes, service codes, and the expressions for numbers and short codes."""
    rows = {row.numbering_id: row for row in tariffs.numberings(database)}
    assert set(rows) == set(NUMBERING)
    for plan, row in rows.items():
        page = NUMBERING[plan]
        shapes = {"national": row.national_number, "whole": row.bare_number, "short": row.short_code}
        assert (row.country_code, tuple(row.international_prefixes), tuple(row.national_prefixes)) == (
            page.country_code or "",
            page.international,
            page.national,
        )
        assert {kind: shape for kind, shape in shapes.items() if shape} == page.shapes
        assert set(row.service_prefixes) == set(page.service)


def test_a_few_hundred_calls_cost_what_the_page_says(new_database: NewDatabase) -> None:
    """Cost, currency, and of each part the billed seconds, the rate and its plan; for calls of every kind."""
    seen: Counter[str] = Counter()
    for seed in range(2):
        seen += compare(new_database, seed=seed, calls=250)
    assert set(seen) >= KINDS, seen


@pytest.mark.soak
def test_200_000_calls_cost_what_the_page_says(new_database: NewDatabase) -> None:
    """The same in a hundred random worlds, new ones each time. To repeat one, put its seed into the test above."""
    seen: Counter[str] = Counter()
    while seen["calls"] < 200_000:
        seen += compare(new_database, seed=SystemRandom().getrandbits(32), calls=2000)
