"""Each endpoint has a share of its own, and a failing one hardly any."""

from collections import Counter

import pytest

from maintenance.deliver.dispatcher import AT_ONCE, AT_ONCE_IN_ALL, AT_ONCE_TO_NATS, SHARE, Dispatcher
from tests.unit.maintenance.deliver.given import delivery, endpoint


def test_an_endpoint_has_room_for_a_few() -> None:
    made = Dispatcher()
    made.replace([endpoint(1), endpoint(2, failures=3), endpoint(3, kind="nats"), endpoint(4, failures=9, paused_s=1)])
    assert made.rooms() == {1: AT_ONCE, 2: 1, 3: AT_ONCE_TO_NATS}


def test_what_is_under_way_takes_room_until_it_is_settled() -> None:
    made = Dispatcher()
    made.replace([endpoint(1), endpoint(2)])
    for seq in range(AT_ONCE):
        assert made.begin(delivery(seq=seq)) == endpoint(1)
    assert made.begin(delivery(seq=0)) is None
    assert made.rooms() == {2: AT_ONCE}
    made.end([(1, 0), (1, 1)])
    assert made.rooms() == {2: AT_ONCE, 1: 2}
    assert made.turns_in_use(64) == {1}


def fill(made: Dispatcher) -> None:
    """Let everything be under way that may be; each endpoint has more than enough to be told."""
    while rooms := made.rooms():
        for webhook_id, room in rooms.items():
            for _ in range(room):
                made.begin(delivery(webhook_id=webhook_id, seq=len(made.busy)))


def test_failing_endpoints_get_what_the_others_leave() -> None:
    """However many have nothing to be told, each has room: nothing is set aside for them."""
    made = Dispatcher()
    many = AT_ONCE_IN_ALL + 10
    failing = (endpoint(number, account_id=f"a{number}", failures=1) for number in range(many))
    made.replace([*failing, endpoint(9_999)])
    rooms = made.rooms()
    assert next(iter(rooms.items())) == (9_999, AT_ONCE)
    assert sum(rooms.values()) == many + AT_ONCE
    assert made.free == AT_ONCE_IN_ALL + AT_ONCE_TO_NATS


@pytest.mark.parametrize("accounts", [1, 16, 128])
def test_no_account_takes_what_the_others_need(accounts: int) -> None:
    """With twenty endpoints each, whose receivers hang: one more account has room at once, and so has NATS."""
    made = Dispatcher()
    endpoints = [endpoint(number, account_id=f"a{number % accounts}") for number in range(20 * accounts)]
    made.replace(endpoints)
    fill(made)
    assert len(made.busy) <= AT_ONCE_IN_ALL
    of_each = Counter(found.account_id for found in made.busy.values())
    assert len(of_each) == accounts
    assert max(of_each.values()) <= AT_ONCE_IN_ALL / SHARE
    made.replace([*endpoints, endpoint(50_000, account_id="new"), endpoint(50_001, account_id=None, kind="nats")])
    rooms = made.rooms()
    assert (rooms.keys(), rooms[50_001]) == ({50_000, 50_001}, AT_ONCE_TO_NATS)
    made.end([next(iter(made.busy))])
    assert next(iter(made.rooms())) == 50_000
    made.end(list(made.busy))
    assert (made.busy, len(made.rooms())) == ({}, 20 * accounts + 2)


def test_an_endpoint_that_is_not_ours_any_more_gets_nothing() -> None:
    made = Dispatcher()
    assert made.begin(delivery()) is None
    assert made.busy == {}
