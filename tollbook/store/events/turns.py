"""Whose turn it is: each endpoint is served by one of the processes that deliver, the others take over when it ends.

Endpoints are dealt into TURNS by their numbers, and a turn is an advisory lock of a transaction that stays open: when
its process is killed, or its machine stops answering, PostgreSQL ends the transaction, and another process takes the
turn. A turn is given up by going back to the savepoint before it.
"""

import random
from contextlib import suppress
from typing import Final, LiteralString

from psycopg import Error, sql

from tollbook.store.database import Connection, TimeLimits, connect, limit_transaction, store_errors
from tollbook.store.locks import DELIVER_LOCK, DELIVER_TURNS

#: More than processes that anybody runs, and few locks of PostgreSQL's table of them.
TURNS: Final = 64

#: A process that says nothing for so long loses its turns; it renews them every second.
LOST_AFTER_S: Final = 20.0


class Turns:
    """The turns of one process, on a connection of its own. Not for several threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._held: list[int] = []

    def renew(self, keep: frozenset[int] = frozenset()) -> frozenset[int]:
        """Take a fair share of the turns, or give up what is too much of them, and return those to work by.

        One of `keep`, to whose endpoints something is under way, is given up later, and not worked by until then.
        Raises StoreUnavailable, after which none is held.
        """
        try:
            connection = self._connected()
            share = -(-TURNS // self._processes(connection))
            self._give_up(connection, share, keep)
            self._take(connection, share)
        except BaseException:
            self.close()
            raise
        return frozenset(self._held[:share])

    def close(self) -> None:
        """Give up all turns."""
        self._held = []
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Error):
                connection.rollback()
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._held = []
            limits = TimeLimits(statement_s=10, lock_s=5, pause_s=LOST_AFTER_S, transaction_s=0)
            self._connection = connection = connect(self._url, name="deliver turns", limits=limits)
            with store_errors():
                limit_transaction(connection)
                connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (DELIVER_LOCK,))
        return self._connection

    def _processes(self, connection: Connection) -> int:
        return max(count_processes(connection), 1)

    def _take(self, connection: Connection, share: int) -> None:
        free = [turn for turn in range(TURNS) if turn not in self._held]
        random.shuffle(free)  # so that two that begin at once do not ask for the same ones
        for turn in free:
            if len(self._held) >= share:
                return
            with store_errors():
                _savepoint(connection, "SAVEPOINT", turn)
                got = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (DELIVER_TURNS, turn)).fetchone()
                if got is not None and got[0]:
                    self._held.append(turn)
                else:
                    _savepoint(connection, "ROLLBACK TO SAVEPOINT", turn)
                    _savepoint(connection, "RELEASE SAVEPOINT", turn)

    def _give_up(self, connection: Connection, share: int, keep: frozenset[int]) -> None:
        """The newest first, which their savepoints allow; one that is kept ends it."""
        while len(self._held) > share and self._held[-1] not in keep:
            turn = self._held.pop()
            with store_errors():
                _savepoint(connection, "ROLLBACK TO SAVEPOINT", turn)
                _savepoint(connection, "RELEASE SAVEPOINT", turn)


def _savepoint(connection: Connection, command: LiteralString, turn: int) -> None:
    connection.execute(sql.SQL(command + " {}").format(sql.Identifier(f"turn_{turn}")))


def count_processes(connection: Connection) -> int:
    """Return how many processes deliver, of this database; raises StoreUnavailable."""
    with store_errors():
        row = connection.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (classid::bigint << 32) + objid::bigint = %s",
            (DELIVER_LOCK,),
        ).fetchone()
    return row[0] if row else 0
