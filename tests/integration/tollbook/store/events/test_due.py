"""What is due is found by its index, however much waits."""

from tests.databases import store
from tests.endpoints import add_endpoint
from tests.factories import call
from tollbook.store.database import Connection, scalar
from tollbook.store.events.queue import read_due

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
