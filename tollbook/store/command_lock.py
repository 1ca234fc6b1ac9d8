"""A lock that one command at a time holds for as long as it runs, and who holds it."""

import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from psycopg import Error
from psycopg.errors import LockNotAvailable

from tollbook.store.database import Connection, TimeLimits, connect, limit_transaction, store_errors

# A `lock_timeout` of 0 would be no limit at all.
_SHORTEST_WAIT_S = 0.1


class LockHeld(Exception):
    """Another command holds the lock; the text says who, and since when."""


def owner_name(command: str) -> str:
    """Return a connection's name that says which process of which machine it belongs to."""
    return f"{command} {os.getpid()}@{socket.gethostname()}"


@contextmanager
def hold_lock(url: str, *, number: int, name: str, wait_s: float) -> Generator[Callable[[], None]]:
    """Hold one of the locks of `tollbook.store.locks`; yield a check that it is still held, which raises psycopg.Error.

    It belongs to a transaction on a connection of its own, because behind PgBouncer nothing else lasts for longer than
    a statement. That transaction reads nothing, and so keeps nothing from being vacuumed; when the command is killed,
    it ends. Raises LockHeld when another command does not release it within `wait_s`, and StoreUnavailable.
    """
    limits = TimeLimits(statement_s=0, lock_s=max(wait_s, _SHORTEST_WAIT_S), pause_s=0, transaction_s=0)
    lock = connect(url, name=name, limits=limits)
    try:
        with store_errors():
            limit_transaction(lock)
            try:
                lock.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
            except LockNotAvailable:
                lock.rollback()
                raise LockHeld(_holder(lock, number)) from None
        yield lambda: _check(lock)
    finally:
        with suppress(Error):
            lock.rollback()  # before it is closed, so that the lock is free when this returns
        lock.close()


def _check(lock: Connection) -> None:
    lock.execute("SELECT")


def _holder(connection: Connection, number: int) -> str:
    """Name the process that holds the lock, as its connection calls itself, and since when."""
    row = connection.execute(
        """
        SELECT coalesce(nullif(application_name, ''), 'unnamed'), pid,
               to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (classid::bigint << 32) + objid::bigint = %s
        """,
        (number,),
    ).fetchone()
    if row is None:
        return "a command that has ended by now"
    name, pid, since = row
    return f"`{name}`, session {pid} of PostgreSQL" + (f", since {since}" if since else "")
