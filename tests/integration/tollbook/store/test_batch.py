"""Batches give the same rows however the legs are split, ordered, repeated and spread over writers."""

import itertools
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import SECOND_US, START_MS, START_US, created, legs_of
from tests.integration.tollbook.store.batches import leg, table, write
from tests.recorded import SWITCH, recorded_legs, recorded_rows
from tollbook.model.leg import ESTIMATED, Leg, end_as_lost
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.times import US_PER_DAY, current_day

# Ids that are used again, orphans, recovery, queues, transfers: what batches can get wrong.
NAMES = [
    "outbound_answered", "transfer_b_leg", "queue_agent_busy_then_answers", "recover", "same_call_id_twice",
    "c2c_same_uuid_retry", "fork_ring_group", "loopback_forward", "fail_busy", "cid_sip_percent_newline_injection",
]  # fmt: skip


LEGS = {name: recorded_legs(name) for name in NAMES}


def wanted(names: Iterable[str]) -> list[dict[str, Any]]:
    return sorted((row for name in names for row in recorded_rows(name)), key=_key)


def _key(row: dict[str, Any]) -> tuple[str, int]:
    return (row["call_id"], row["start_ts"])


def rows(connection: Connection) -> list[dict[str, Any]]:
    """Return the rows in the form of `rows.json`."""
    columns = [column for column in COLUMNS if column != "cost_micros"]
    return [
        {column: row[column] for column in columns}
        | {"parts": [[part["direction"], part["number"], part["seconds"]] for part in row["parts"] or []]}
        for row in table(connection)
    ]


def outbox(connection: Connection) -> list[tuple[str, int, str | None, bool]]:
    found = connection.execute(
        "SELECT call_id, start_ts, account_id, deleted FROM archive_outbox ORDER BY 1, 2"
    ).fetchall()
    connection.rollback()
    return found


def empty(connection: Connection) -> None:
    connection.execute("TRUNCATE call_cdr, call_leg, archive_outbox")
    connection.commit()


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_rows_event_by_event(database: Connection, name: str) -> None:
    """Each event in a batch of its own, or all in one: the rows of `rows.json`, each in the outbox once."""
    partitions = Partitions()
    for heard in LEGS[name]:
        write(database, [heard], partitions)
    assert rows(database) == wanted([name])
    assert {(call, start) for call, start, _, deleted in outbox(database) if not deleted} == {
        _key(row) for row in wanted([name])
    }
    empty(database)
    write(database, LEGS[name], partitions)
    assert rows(database) == wanted([name])


@settings(max_examples=settings().max_examples // 10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_split_repetition_and_writer_gives_the_same_rows(
    database: Connection, database_url: str, data: st.DataObject
) -> None:
    """Events in any order, some twice, cut into any batches, through two connections alternately."""
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    legs = [leg for name in names for leg in LEGS[name]]
    again = data.draw(st.lists(st.sampled_from(legs), max_size=5))
    order = data.draw(st.permutations([*legs, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=6)))
    empty(database)
    with connect(database_url, name="other") as other:
        writers = itertools.cycle([(database, Partitions()), (other, Partitions())])
        for begin, end in itertools.pairwise([0, *cuts, len(order)]):
            connection, partitions = next(writers)
            write(connection, order[begin:end], partitions)
    assert rows(database) == wanted(names)
    # All of it once more: not even a revision changes.
    before = table(database), outbox(database)
    write(database, order)
    assert (table(database), outbox(database)) == before


@pytest.mark.parametrize("share", ["both all of it", "each every other event"])
def test_two_writers_at_once_end_in_the_same_rows(database: Connection, database_url: str, share: str) -> None:
    """Two threads write the legs of one switch at the same time: no deadlock, no fact lost, the same rows.

    In opposite orders, or side by side on the same legs, where neither writer would restore a fact that the other lost.
    """
    legs = [leg for name in NAMES for leg in LEGS[name]]
    shares = (legs, legs[::-1]) if share == "both all of it" else (legs[::2], legs[1::2])
    ready, failures = threading.Barrier(2, timeout=10), list[BaseException]()

    def writer(mine: Sequence[Leg]) -> None:
        try:
            with connect(database_url, name="writer") as connection:
                partitions = Partitions()
                ready.wait()
                for begin in range(0, len(mine), 3):
                    write(connection, mine[begin : begin + 3], partitions)
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=writer, args=(mine,), daemon=True) for mine in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    assert rows(database) == wanted(NAMES)


def test_a_completed_row_is_priced_and_waits_for_the_archive(database: Connection) -> None:
    write(database, [leg("a")])
    (open_row,) = table(database)
    assert (open_row["end_ts"], open_row["cost_micros"], open_row["revision"]) == (None, None, 0)
    assert outbox(database) == []
    write(database, [leg("a", end_s=60, account="acme")])
    (row,) = table(database)
    assert (row["billsec"], row["cost_micros"], row["revision"], row["account_id"]) == (60, 420, 1, "acme")
    assert row["parts"] == [{"direction": "inbound", "number": "2000", "seconds": 60, "cost_micros": 420}]
    assert outbox(database) == [("a", START_MS, "acme", False)]


def test_a_complete_row_is_never_reopened(database: Connection) -> None:
    """A late leg that is still up leaves the row as it is; its end replaces the row whole, revision + 1."""
    write(database, [leg("a", end_s=60)])
    before = table(database)
    database.execute("DELETE FROM archive_outbox")
    database.commit()
    write(database, [leg("late", 10, parent="a")])
    assert table(database) == before
    assert outbox(database) == []
    write(database, [leg("late", 10, parent="a", end_s=90)])
    (row,) = table(database)
    assert (row["end_ts"], row["duration_sec"], row["revision"]) == (START_MS + 90_000, 90, 2)
    assert outbox(database) == [("a", START_MS, None, False)]


def test_a_duplicate_changes_nothing(database: Connection) -> None:
    """The revision, the time in the outbox and the row's version in PostgreSQL stay."""
    query = "SELECT xmin, ctid, * FROM call_cdr"
    write(database, [leg("a", end_s=60), leg("b", 1, parent="a", end_s=50)])
    before, legs, waits = table(database, query), table(database, "SELECT xmin, * FROM call_leg"), outbox(database)
    write(database, [leg("b", 1, parent="a", end_s=50)])
    write(database, [leg("a", end_s=60)])
    write(database, [leg("a")])
    assert table(database, query) == before
    assert table(database, "SELECT xmin, * FROM call_leg") == legs
    assert outbox(database) == waits


def test_facts_that_change_no_column_change_no_row(database: Connection) -> None:
    """A look finds what the row already has: the leg stores it, the row keeps its revision, nothing is archived."""
    known = leg("a", end_s=60, account="acme")
    write(database, [known])
    database.execute("DELETE FROM archive_outbox")
    database.commit()
    before, legs = table(database, "SELECT xmin, * FROM call_cdr"), table(database, "SELECT * FROM call_leg")
    write(database, [msgspec.structs.replace(known, look=known.create, seen_us=known.seen_us + SECOND_US)])
    assert table(database, "SELECT xmin, * FROM call_cdr") == before
    assert table(database, "SELECT * FROM call_leg") != legs
    assert outbox(database) == []


def test_a_correction_remembers_the_accounts_before(database: Connection) -> None:
    """The archive must find the copy that it holds under an earlier account, or under none."""
    guess = leg("a", end_s=30)
    assert guess.end is not None
    write(database, [msgspec.structs.replace(guess, end=msgspec.structs.replace(guess.end, source=ESTIMATED))])
    (claimed,) = table(database, "SELECT ctid, xmin FROM archive_outbox")
    database.commit()
    write(database, [leg("a", end_s=60, account="acme")])
    (row,) = table(database)
    assert (row["revision"], row["account_id"], row["prior_accounts"], row["disposition"]) == (
        2,
        "acme",
        [None],
        "answered",
    )
    assert not row["estimated"]
    assert table(database, "SELECT account_id FROM archive_outbox") == [{"account_id": "acme"}]
    assert table(database, "SELECT ctid, xmin FROM archive_outbox") != [claimed]


def test_a_lost_call_is_marked_and_the_switchs_word_unmarks_it(database: Connection) -> None:
    up = leg("a", account="acme")
    write(database, [end_as_lost(up, START_US + 20 * SECOND_US)])
    (row,) = table(database)
    assert (row["disposition"], row["estimated"], row["end_ts"]) == ("lost", True, START_MS + 20_000)
    write(database, [leg("a", end_s=60, account="acme")])
    write(database, [end_as_lost(up, START_US + 90 * SECOND_US)])
    (row,) = table(database)
    assert (row["disposition"], row["estimated"], row["duration_sec"], row["revision"]) == ("answered", False, 60, 2)
    assert row["prior_accounts"] == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_orphans_move_under_their_root_when_it_arrives(database: Connection, order: tuple[int, ...]) -> None:
    """Root, child and grandchild in any order, one batch each: one row, and no stale row left behind."""
    family = [
        leg("root", 0, end_s=9),
        leg("child", 1, parent="root", end_s=8),
        leg("grandchild", 2, parent="child", end_s=7),
    ]
    for place in order:
        write(database, [family[place]])
    assert [(row["call_id"], row["start_ts"], row["end_ts"]) for row in table(database)] == [
        ("root", START_MS, START_MS + 9000)
    ]
    assert {stored["call_id"] for stored in table(database, "SELECT * FROM call_leg")} == {"root"}
    assert outbox(database) == [("root", START_MS, None, False)]


def test_an_orphan_stands_under_the_oldest_ancestor_named_and_stays_open(database: Connection) -> None:
    write(database, [leg("grandchild", 2, parent="child", end_s=7), leg("child", 1, parent="root", end_s=8)])
    (row,) = table(database)
    assert (row["call_id"], row["start_ts"], row["end_ts"]) == ("root", START_MS + 1000, None)
    assert outbox(database) == []


def test_a_completed_row_that_was_no_call_is_taken_out_of_the_archive_too(database: Connection) -> None:
    """First only its end was heard, which names no parent; its CREATE, from a second listener, names one."""
    write(database, [leg("x", 1, end_s=5, create=False)])
    assert outbox(database) == [("x", START_MS + 1000, None, False)]
    write(database, [leg("x", 1, parent="root"), leg("root", 0, end_s=9)])
    assert [row["call_id"] for row in table(database)] == ["root"]
    assert outbox(database) == [("root", START_MS, None, False), ("x", START_MS + 1000, None, True)]


def test_a_call_that_was_recovered_after_midnight_began_the_day_before(database: Connection) -> None:
    """Its first creation was not heard, and nothing else made that day's partition."""
    midnight_us = current_day() * US_PER_DAY
    begun = created("a", created_us=midnight_us + SECOND_US, recovered="true", answered_us=midnight_us - SECOND_US)
    write(database, legs_of(begun, msgspec.structs.replace(begun, name="CHANNEL_ANSWER")))
    (row,) = table(database)
    assert row["start_ts"] == midnight_us // 1000 - 1000


def test_the_same_id_on_two_switches_is_two_calls(database: Connection) -> None:
    other = msgspec.structs.replace(leg("a", 1, end_s=9), switch="other")
    for batch in ([leg("a", end_s=60)], [other], [leg("a", end_s=60), other]):
        write(database, batch)
    assert [(row["switch"], row["duration_sec"], row["revision"]) for row in table(database)] == [
        (SWITCH, 60, 1), ("other", 8, 1),
    ]  # fmt: skip
