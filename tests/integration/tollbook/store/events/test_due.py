"""What is due is found by its index, however much waits."""

from tests.databases import store
from tests.endpoints import add_endpoint
from tests.factories import call
from tollbook.store.database import Connection, scalar
from tollbook.store.events.queue import read_due, wait_for_earlier

_READ = """
    SELECT idx_tup_fetch + seq_tup_read + (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index
        WHERE indrelid = relid)::bigint
    FROM pg_stat_xact_user_tables WHERE relname = 'event_delivery'
"""


def test_a_long_queue_is_not_read(database: Connection) -> None:
    """Without statistics, too, or with those of an empty queue, which is what a queue has as a rule."""
    webhook = add_endpoint(database)
    store(database, *(call(f"c{number:03}") for number in range(400)))
    database.commit()
    with database.transaction():
        before = int(str(scalar(database, _READ)))
        due = read_due(database, {webhook: 8}, [(webhook, -number) for number in range(8)], limit=100)
        read = int(str(scalar(database, _READ))) - before
    assert [(one.call_id, one.event) for one in due] == [(f"c{number:03}", "call.started") for number in range(8)]
    assert read < 200, read


def test_a_dead_endpoints_queue_is_not_read_each_second(database: Connection) -> None:
    """To find what waits for an earlier delivery: of millions that wait, while nobody is told anything."""
    dead, other = add_endpoint(database), add_endpoint(database, "other")
    store(database, *(call(f"c{number:03}") for number in range(400)))
    database.execute("INSERT INTO event_delivery SELECT %s, seq, call_no FROM event_delivery", (other,))
    database.commit()
    with database.transaction():
        before = int(str(scalar(database, _READ)))
        wait_for_earlier(database, [dead, other], looked_at=8)
        read = int(str(scalar(database, _READ))) - before
    assert read < 200, read


def test_what_waits_for_an_earlier_delivery_is_due_with_it(database: Connection) -> None:
    """At first the oldest, which are those that stand in the way of others."""
    dead = add_endpoint(database)
    store(database, *(call(f"c{number}") for number in range(3)))
    database.execute(
        "UPDATE event_delivery SET due_at = now() + interval '1 hour' FROM call_event"
        " WHERE call_event.seq = event_delivery.seq AND event = 'call.started'"
    )
    database.commit()
    left = int(str(scalar(database, "SELECT count(*) FROM event_delivery WHERE due_at <= now()")))
    for due in range(left - 2, -1, -2):
        wait_for_earlier(database, [dead], looked_at=2)
        database.commit()
        assert scalar(database, "SELECT count(*) FROM event_delivery WHERE due_at <= now()") == due
    assert scalar(database, "SELECT count(DISTINCT due_at) FROM event_delivery") == 1
