"""The inbox: facts are joined, order kept, the bound held, and nothing is lost at any of them."""

import gevent
import msgspec
import pytest

from esl_listener.inbox import Inbox
from tollbook.model.leg import Facts, Leg

T0 = 1_800_000_000_000_000


def leg(uid: str, **known: object) -> Leg:
    return msgspec.structs.replace(Leg(switch="fs", uid=uid, created_us=T0), **known)


def taken(inbox: Inbox, most: int = 100) -> list[str]:
    return [taken_leg.uid for taken_leg in inbox.take(most)]


def test_legs_come_out_in_the_order_in_which_they_were_first_heard() -> None:
    inbox = Inbox()
    for uid in ("b", "a", "c", "a", "b"):
        inbox.put(leg(uid))
    assert len(inbox) == 3
    assert taken(inbox, 2) == ["b", "a"]
    assert taken(inbox) == ["c"]
    assert taken(inbox) == []


def test_facts_of_one_leg_are_joined() -> None:
    inbox = Inbox()
    parts = [leg("a", create=Facts(dialed="1")), leg("a", answered_us=T0 + 5), leg("a", end=Facts(cause="USER_BUSY"))]
    for part in parts:
        inbox.put(part)
    assert inbox.take(10) == [parts[0].merged(parts[1]).merged(parts[2])]


def test_a_creation_waits_until_it_is_taken() -> None:
    inbox = Inbox()
    inbox.put(leg("a", answered_us=T0 + 5))
    assert not inbox.has_creation(leg("a").key)
    inbox.put(leg("a", create=Facts(dialed="1")))
    assert inbox.has_creation(leg("a").key)
    assert not inbox.has_creation(leg("b").key)
    inbox.take(1)
    assert not inbox.has_creation(leg("a").key)


def test_lives_of_one_id_stay_apart() -> None:
    inbox = Inbox()
    inbox.put(leg("a"))
    inbox.put(leg("a", created_us=T0 + 1))
    inbox.put(leg("a", switch="other"))
    assert len(inbox) == 3


def test_what_is_put_back_comes_first_and_is_joined_with_what_came_meanwhile() -> None:
    inbox = Inbox()
    inbox.put(leg("a", create=Facts(dialed="1")))
    inbox.put(leg("b"))
    batch = inbox.take(2)
    inbox.put(leg("c"))
    inbox.put(leg("a", end=Facts(cause="USER_BUSY")))
    inbox.put_back(batch)
    (first, *rest) = inbox.take(10)
    assert (first.uid, first.create, first.end) == ("a", Facts(dialed="1"), Facts(cause="USER_BUSY"))
    assert [later.uid for later in rest] == ["b", "c"]


def test_what_is_postponed_comes_last_and_is_joined_with_what_came_meanwhile() -> None:
    inbox = Inbox()
    for uid in ("a", "b"):
        inbox.put(leg(uid, create=Facts(dialed="1")))
    (postponed,) = inbox.take(1)
    inbox.put(leg("a", end=Facts(cause="USER_BUSY")))
    inbox.postpone([postponed])
    first, second = inbox.take(10)
    assert first.uid == "b"
    assert (second.uid, second.create, second.end) == ("a", Facts(dialed="1"), Facts(cause="USER_BUSY"))


def test_waiting_ends_when_a_leg_comes_and_at_the_time_limit() -> None:
    inbox = Inbox()
    assert inbox.wait(0.01) is False
    gevent.spawn_later(0.01, inbox.put, leg("a"))
    assert inbox.wait(5) is True
    assert inbox.wait(0) is True  # still there
    inbox.take(1)
    assert inbox.wait(0.01) is False
    inbox.put_back([leg("a")])
    assert inbox.wait(0) is True


def test_a_full_inbox_waits_for_room_and_never_grows_beyond_its_bound() -> None:
    inbox = Inbox(max_legs=3)
    readers = [gevent.spawn(inbox.put, leg(str(number))) for number in range(10)]
    seen: list[str] = []
    for _ in range(20):
        gevent.sleep(0)
        assert len(inbox) <= 3
        seen += taken(inbox, 1)
    gevent.joinall(readers, timeout=2, raise_error=True)
    assert sorted(seen) == [str(number) for number in range(10)]


def test_a_full_inbox_still_joins_facts_of_legs_that_it_holds() -> None:
    inbox = Inbox(max_legs=1)
    inbox.put(leg("a"))
    with gevent.Timeout(2):
        inbox.put(leg("a", answered_us=T0 + 5))
    assert inbox.take(1) == [leg("a", answered_us=T0 + 5)]


@pytest.mark.parametrize("order", [0, 1])
def test_two_readers_that_wait_with_facts_of_the_same_leg_lose_none(order: int) -> None:
    """A dump and an event of one leg, both waiting for a full inbox: both are in it afterwards."""
    inbox = Inbox(max_legs=1)
    inbox.put(leg("other"))
    facts = [leg("a", create=Facts(dialed="1")), leg("a", end=Facts(cause="USER_BUSY"))]
    waiting = [gevent.spawn(inbox.put, part) for part in (facts if order else facts[::-1])]
    gevent.sleep(0)  # both run until they wait
    assert taken(inbox) == ["other"]
    gevent.joinall(waiting, timeout=2, raise_error=True)
    assert inbox.take(5) == [facts[0].merged(facts[1])]
