"""Whose turn it is: each turn is one process's, shares are fair, and what a killed one had is free at once."""

import pytest

from tollbook.errors import StoreUnavailable
from tollbook.store.database import Connection
from tollbook.store.events.turns import TURNS, Turns, count_processes


def test_turns_are_shared_and_none_is_two_s(database: Connection, database_url: str) -> None:
    """The first gives up half of them when a second comes."""
    first, second = Turns(database_url), Turns(database_url)
    assert first.renew() == frozenset(range(TURNS))
    assert second.renew() == frozenset()  # the first has not heard of it yet
    ours, theirs = first.renew(), second.renew()
    assert (len(ours), len(theirs)) == (TURNS // 2, TURNS // 2)
    assert not ours & theirs
    assert count_processes(database) == 2
    first.close()
    assert second.renew() == frozenset(range(TURNS))
    second.close()
    database.rollback()
    assert count_processes(database) == 0


def test_what_is_in_use_is_given_up_when_it_is_not(database_url: str) -> None:
    """And not worked by until then, so that it comes to an end under load, too."""
    first, second = Turns(database_url), Turns(database_url)
    everything = first.renew()
    second.renew()
    busy = first.renew(keep=everything)
    assert len(busy) == TURNS // 2
    assert second.renew() == frozenset()
    assert first.renew(keep=busy) == busy
    assert second.renew() == everything - busy
    first.close()
    second.close()


def test_a_process_whose_connection_is_lost_has_no_turn(database: Connection, database_url: str) -> None:
    """It says so, and takes its turns again."""
    turns, other = Turns(database_url), Turns(database_url)
    turns.renew()
    database.execute(  # and wait until its locks are free
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'tollbook deliver turns' AND datname = current_database()"
    )
    assert other.renew() == frozenset(range(TURNS))
    other.close()
    with pytest.raises(StoreUnavailable):
        turns.renew()
    assert turns.renew() == frozenset(range(TURNS))
    turns.close()
