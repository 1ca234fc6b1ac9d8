"""What happens to a row is noted in the transaction that writes it, for whom it may concern and nobody else."""

import msgspec
import pytest

from tests.databases import store
from tests.endpoints import add_endpoint, noted, waiting
from tests.factories import BUSY, UP, call
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.events.health import read_events_out

RINGING = UP | {"answer_ts": None, "answered": 0}
STARTED, ANSWERED, ENDED, UPDATED = "call.started", "call.answered", "call.ended", "call.updated"


def test_a_call_starts_is_answered_ends_and_is_corrected(database: Connection) -> None:
    """One event for each, with the row's revision; a row that is written again unchanged has none."""
    add_endpoint(database)
    for state in (call(**RINGING), call(**UP), call(), call(), call(billsec=59, end_ts=call()[0].start_ts + 63_000)):
        store(database, state)
    assert noted(database) == [(STARTED, "acme", 0), (ANSWERED, "acme", 0), (ENDED, "acme", 1), (UPDATED, "acme", 2)]


def test_a_call_that_is_heard_of_at_its_end_has_all_its_events(database: Connection) -> None:
    add_endpoint(database)
    store(database, call("a"), call("b", **BUSY))
    assert noted(database, "a") == [(STARTED, "acme", 1), (ANSWERED, "acme", 1), (ENDED, "acme", 1)]
    assert noted(database, "b") == [(STARTED, "acme", 1), (ENDED, "acme", 1)]


def test_what_is_rolled_back_has_no_event(database: Connection) -> None:
    add_endpoint(database)
    store(database, call("kept"))
    database.commit()
    store(database, call("lost"))
    database.rollback()
    assert {name for (name,) in database.execute("SELECT call_id FROM call_event")} == {"kept"}


def test_nobody_else_pays_or_hears(database: Connection) -> None:
    """Of an account without an endpoint nothing is noted, and nothing of a call without an account."""
    webhook = add_endpoint(database, "acme")
    store(database, call("a", "beta"), call("b", None))
    assert (noted(database), waiting(database, webhook)) == ([], [])


def test_an_operator_hears_of_every_call(database: Connection) -> None:
    webhook = add_endpoint(database, None)
    store(database, call("a", "beta", **RINGING), call("b", None, **RINGING))
    assert noted(database) == [(STARTED, "beta", 0), (STARTED, None, 0)]
    assert waiting(database, webhook) == [STARTED, STARTED]


def test_an_endpoint_gets_what_it_asked_for(database: Connection) -> None:
    """Of its account's events those that it names; a disabled one nothing, but they are kept for a replay."""
    some, all_of_them = add_endpoint(database, events=[ENDED]), add_endpoint(database)
    disabled, deleted = add_endpoint(database), add_endpoint(database)
    database.execute("UPDATE webhook SET disabled_at = now(), disabled_why = '' WHERE webhook_id = %s", (disabled,))
    database.execute("UPDATE webhook SET deleted_at = now() WHERE webhook_id = %s", (deleted,))
    store(database, call(**RINGING), call("b"))
    found = [waiting(database, webhook) for webhook in (some, all_of_them, disabled, deleted)]
    assert found == [[ENDED], [STARTED, STARTED, ANSWERED, ENDED], [], []]


def test_a_deleted_endpoint_is_none(database: Connection) -> None:
    webhook = add_endpoint(database)
    database.execute("UPDATE webhook SET deleted_at = now() WHERE webhook_id = %s", (webhook,))
    store(database, call())
    assert noted(database) == []


def test_a_call_that_moves_is_lost_to_one_and_begins_for_the_other(database: Connection) -> None:
    """Who loses it learns its key alone: what it has become is another's."""
    add_endpoint(database, "acme")
    add_endpoint(database, "beta")
    store(database, call("a", None, **RINGING))
    store(database, call("a", "acme", **RINGING))
    store(database, call("a", "beta"))
    assert noted(database) == [
        (STARTED, "acme", 0), (UPDATED, "acme", 1),
        (STARTED, "beta", 1), (ANSWERED, "beta", 1), (ENDED, "beta", 1),
    ]  # fmt: skip
    ((told,),) = database.execute("SELECT record FROM call_event WHERE event = 'call.updated'").fetchall()
    assert told == {"removed": True}


def test_a_row_that_goes_into_another_call_is_removed(database: Connection) -> None:
    add_endpoint(database)
    row, price = call()
    store(database, (row, price))
    call_rows.delete(database, [CallKey(row.start_ts, row.call_id, row.switch)])
    assert noted(database)[-1] == (UPDATED, "acme", 1)


@pytest.mark.parametrize("partition", ["move", "drop"])
def test_what_is_done_to_a_partition_is_no_event(database: Connection, partition: str) -> None:
    """Pruning, moving and restoring write to partitions by their names."""
    add_endpoint(database)
    store(database, call())
    before = noted(database)
    ((name,),) = database.execute("SELECT tableoid::regclass::text FROM call_cdr").fetchall()
    if partition == "move":
        database.execute(f"WITH gone AS (DELETE FROM {name} RETURNING *) INSERT INTO {name} SELECT * FROM gone")  # pyright: ignore
    else:
        database.execute(f"DROP TABLE {name}")  # pyright: ignore
    assert noted(database) == before


def test_an_imported_call_has_no_events(database: Connection) -> None:
    """It happened long ago, perhaps, and somebody else has told of it."""
    add_endpoint(database)
    row, price = call()
    details = msgspec.structs.replace(row.details, imported="cdr_csv x.csv")
    imported = msgspec.structs.replace(row, details=details)
    store(database, (imported, price))
    assert noted(database) == []


def test_a_call_s_events_wait_under_one_number(database: Connection) -> None:
    """So that they are sent one after the other; other calls have others."""
    add_endpoint(database)
    store(database, call("a"), call("b"))
    numbers = database.execute(
        "SELECT call_id, array_agg(DISTINCT call_no) FROM event_delivery JOIN call_event USING (seq) GROUP BY 1"
    ).fetchall()
    assert [len(of_call) for _, of_call in numbers] == [1, 1]
    assert numbers[0][1] != numbers[1][1]


def test_a_disabled_account_is_late_with_nothing(database: Connection) -> None:
    """Its endpoints neither fail nor are they off for whoever watches: nothing is to be mended."""
    for failures, off in ((0, None), (1, None), (0, "HTTP 410")):
        webhook = add_endpoint(database)
        database.execute(
            "UPDATE webhook SET failures = %(failures)s, disabled_why = %(off)s::text,"
            " disabled_at = CASE WHEN %(off)s::text IS NOT NULL THEN now() END WHERE webhook_id = %(webhook)s",
            {"failures": failures, "off": off, "webhook": webhook},
        )
    store(database, call())
    database.execute("UPDATE event_delivery SET due_at = now() - interval '2 hours'")
    for disabled, expected in ((False, (1, 1, 1, True)), (True, (0, 0, 0, False))):
        database.execute("UPDATE account SET disabled_at = now() WHERE %s", (disabled,))
        found = read_events_out(database)
        assert (found.working, found.failing, found.off, found.late_s > 3600) == expected


def test_a_batch_is_noted_in_linear_time(database: Connection) -> None:
    """The plan of the first, small batch serves large ones: without a loop over all pairs of rows."""
    add_endpoint(database)
    store(database, call("one", **RINGING))
    store(database, call("one"))
    calls = [call(f"c{number}", **RINGING) for number in range(500)]
    store(database, *calls)
    store(database, *(call(f"c{number}") for number in range(500)))
    assert len(noted(database)) == 3 * 501
    ((setting,),) = database.execute("SELECT proconfig FROM pg_proc WHERE proname = 'note_events'").fetchall()
    assert setting == ["enable_nestloop=off"]
