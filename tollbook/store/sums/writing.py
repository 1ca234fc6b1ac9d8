"""The transactions that write cubes: one at a time, each with one snapshot from beginning to end."""

from collections.abc import Generator
from contextlib import contextmanager

from psycopg import sql
from psycopg.errors import LockNotAvailable, SerializationFailure

from tollbook.store.database import Connection, limit_transaction, store_errors


class SumsBusy(Exception):
    """Another transaction writes the cubes, or has changed what this one has read: nothing was written."""


@contextmanager
def writing_sums(connection: Connection, *, wait: bool) -> Generator[None]:
    """Run the block in a transaction; no other one writes the cubes meanwhile.

    `wait`: wait for the one that writes them now; otherwise SumsBusy is raised, as it is when that one has changed what
    the block reads. The lock is on a table, because LOCK takes no snapshot, and a call of an advisory lock does: so the
    snapshot is taken when the lock is held, and has all that was written before. Readers and writers of calls do not
    wait for it. Call in autocommit.
    """
    with store_errors():
        try:
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                if connection.pooled:  # SET takes no snapshot either
                    limit = sql.Literal(f"{connection.limits.statement_s:.0f}s")
                    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit))
                if wait:
                    connection.execute("LOCK TABLE sum_state IN SHARE ROW EXCLUSIVE MODE")
                else:
                    connection.execute("LOCK TABLE sum_state IN SHARE ROW EXCLUSIVE MODE NOWAIT")
                limit_transaction(connection)
                yield
        except (LockNotAvailable, SerializationFailure) as error:
            raise SumsBusy from error
