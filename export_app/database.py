"""The API's connections to PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from psycopg_pool import ConnectionPool

from tollbook.model.accounts import Accounts
from tollbook.store import row_security
from tollbook.store.database import CONNECT_TIMEOUT_S, Connection, store_errors

# Fewer than threads: a request spends most of its time encoding and sending, without a connection.
MAX_CONNECTIONS: Final = 8
# A request that has waited this long for a connection gets a 503, so that threads do not pile up.
WAIT_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_MS: Final = 5000


class Database:
    """A pool of connections. Open it after the fork: processes must not share connections."""

    def __init__(self, url: str) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            kwargs={
                # Most reads are one statement; what needs more opens a `connection.transaction()`.
                "autocommit": True,
                "application_name": "tollbook serve",
                "connect_timeout": CONNECT_TIMEOUT_S,
                # Plan each query for its own time window: a generic plan reads other partitions, or sorts.
                "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
                " -c plan_cache_mode=force_custom_plan",
            },
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
