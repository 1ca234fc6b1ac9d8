"""The API's connections to PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from tollbook.database_url import connection_parameters
from tollbook.model.accounts import Accounts
from tollbook.store import row_security
from tollbook.store.database import Connection, TimeLimits, begin_session, store_errors

# Fewer than threads: a request spends most of its time encoding and sending, without a connection.
MAX_CONNECTIONS: Final = 8
# A request that has waited this long for a connection gets a 503, so that threads do not pile up.
WAIT_TIMEOUT_S: Final = 5.0
_LIMITS: Final = TimeLimits(statement_s=5)


class Database:
    """A pool of connections. Open it after the fork: processes must not share connections."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(
            make_conninfo(**connection_parameters(url, name="serve")),
            connection_class=Connection,
            # Most reads are one statement; what needs more opens a `connection.transaction()`.
            kwargs={"autocommit": True},
            configure=_configure,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            timeout=WAIT_TIMEOUT_S,
            # One round trip per use, so that no request gets a dead connection after a restart of PostgreSQL.
            check=ConnectionPool[Connection].check_connection,
            open=False,
        )

    def open(self) -> None:
        """Start connecting in the background."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def reading(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection that reads one snapshot of these accounts' rows only; see `store.row_security`."""
        with self.connection() as connection, row_security.reading(connection, accounts):
            yield connection

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """Yield a connection; raises StoreUnavailable."""
        with store_errors(), self._pool.connection() as connection:
            yield connection


def _configure(connection: Connection) -> None:
    begin_session(connection, _LIMITS)
    if not connection.pooled:
        # Plan each query for its own time window: a generic plan reads other partitions, or sorts.
        connection.execute("SET plan_cache_mode = force_custom_plan")
