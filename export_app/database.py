"""The API's connections to PostgreSQL: a pool for each kind of work, so that none of them delays another."""

import select
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Semaphore
from typing import Final

from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from export_app.near import Near
from export_app.share import Share
from tollbook.database_url import connection_parameters
from tollbook.model.accounts import Accounts
from tollbook.store import row_security
from tollbook.store.database import Connection, TimeLimits, begin_session, store_errors

# Looking a key up takes a fraction of a millisecond. On connections of its own it waits for no page and no sum, so that
# a request that is over a limit is refused at once, and whoever is not over it never pays for the others.
KEY_CONNECTIONS: Final = 2
# Fewer than threads: a request spends most of its time encoding and sending, without a connection. A page takes
# milliseconds, but a filter that few calls match, or the changes of one account of many, may take all the time it has.
PAGE_CONNECTIONS: Final = 6
ACCOUNT_PAGES: Final = 2
# Sums read every call that they count: each keeps a core of PostgreSQL busy, or several. No more at once than leave the
# listener's batches and the pages their part; the others wait for their turn.
STATS_CONNECTIONS: Final = 2
# What is up now is read for all who watch, one account after the other, however many watch.
NOW_CONNECTIONS: Final = 1
ACCOUNT_STATS: Final = 1
# A request that has waited this long for a connection gets a 503, and so does one that finds this many waiting for one
# of its kind, so that threads do not pile up. Those for keys are soon done: there all may wait.
WAIT_TIMEOUT_S: Final = 5.0
MAX_WAITING: Final = 16
LIMITS: Final = TimeLimits(statement_s=5)
# A connection that was lent no longer ago is taken to live still, as long as it says nothing else.
_TRUSTED_S: Final = 1.0


class Database:
    """Pools of connections, closed until `open`."""

    def __init__(self, url: str, room: Semaphore) -> None:
        # By its hash a key is found by the same plan each time.
        self._keys = _pool(url, "keys", KEY_CONNECTIONS, max_waiting=0, configure=_begin)
        self._pages = _pool(url, "pages", PAGE_CONNECTIONS)
        self._stats = _pool(url, "stats", STATS_CONNECTIONS)
        self._now = _pool(url, "now", NOW_CONNECTIONS)
        self._page_share = Share("pages", "pages of calls", ACCOUNT_PAGES, room)
        self._stats_share = Share("stats", "stats", ACCOUNT_STATS, room)
        self.near = Near()

    @property
    def shares(self) -> tuple[Share, ...]:
        """Return the shares of each kind of work."""
        return (self._page_share, self._stats_share)

    def pool_counts(self) -> dict[str, dict[str, int]]:
        """Return what psycopg_pool counts, by the name of the pool."""
        return {pool.name: pool.get_stats() for pool in (self._keys, self._pages, self._stats, self._now)}

    def open(self) -> None:
        """Start connecting in the background."""
        for pool in (self._keys, self._pages, self._stats, self._now):
            pool.open()

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._keys, self._pages, self._stats, self._now):
            pool.close()

    @contextmanager
    def looking_up(self, within_s: float = WAIT_TIMEOUT_S) -> Generator[Connection]:
        """Yield a connection for statements of a millisecond, such as finding a key; raises StoreUnavailable."""
        with store_errors(), self._keys.connection(within_s) as connection:
            yield connection

    @contextmanager
    def searching(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection that sees every account's rows, out of these accounts' share: for what returns no rows.

        Raises ApiError when that share is used up, and StoreUnavailable.
        """
        with self._page_share.taken(accounts), store_errors(), self._pages.connection() as connection:
            yield connection

    @contextmanager
    def reading(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection that reads one snapshot of these accounts' rows only; see `store.row_security`.

        Raises as `searching`.
        """
        with self.searching(accounts) as connection, row_security.reading(connection, accounts):
            yield connection

    @contextmanager
    def writing(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection that writes what little the API may write, of these accounts; raises as `searching`."""
        with self.searching(accounts) as connection, row_security.writing(connection, accounts):
            yield connection

    @contextmanager
    def summing(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection as `reading` does, for statements that take a second.

        While others want the same, each has one process of PostgreSQL: what all of them take together does not grow by
        it, and the pages of other accounts find a core.
        """
        with (
            self._stats_share.taken(accounts),
            store_errors(),
            self._stats.connection() as connection,
            row_security.reading(connection, accounts, one_process=self._stats_share.is_crowded),
        ):
            yield connection

    @contextmanager
    def watching(self, accounts: Accounts) -> Generator[Connection]:
        """Yield a connection as `reading` does, for what is up now, out of nobody's share; raises StoreUnavailable."""
        with (
            store_errors(),
            self._now.connection() as connection,
            row_security.reading(connection, accounts),
        ):
            yield connection


def _pool(
    url: str,
    kind: str,
    size: int,
    *,
    max_waiting: int = MAX_WAITING,
    configure: Callable[[Connection], None] | None = None,
) -> ConnectionPool[Connection]:
    return ConnectionPool(
        make_conninfo(**connection_parameters(url, name="serve")),
        connection_class=Connection,
        # Most reads are one statement; what needs more opens a `connection.transaction()`.
        kwargs={"autocommit": True},
        configure=configure or _begin_planning,
        name=kind,
        min_size=1,
        max_size=size,
        timeout=WAIT_TIMEOUT_S,
        max_waiting=max_waiting,
        check=_check,
        open=False,
    )


def _check(connection: Connection) -> None:
    """Raise psycopg's error for a connection that PostgreSQL has closed: no request gets one, after a restart of it.

    PostgreSQL says goodbye, or at least closes; so one that was lent a moment ago and of which nothing waits to be read
    is asked nothing, and the round trip is spared. After a while that is no proof: a firewall that forgot it, or an
    address that moved, says nothing. And a pooler keeps its connections to us open, whatever becomes of PostgreSQL.
    """
    last_s, connection.lent_s = connection.lent_s, time.monotonic()
    if connection.pooled or connection.lent_s - last_s > _TRUSTED_S or _has_news(connection.fileno()):
        ConnectionPool[Connection].check_connection(connection)


def _has_news(file: int) -> bool:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))


def _begin(connection: Connection) -> None:
    begin_session(connection, LIMITS)


def _begin_planning(connection: Connection) -> None:
    _begin(connection)
    if not connection.pooled:
        # Plan each query for its own time window: a generic plan reads other partitions, or sorts.
        connection.execute("SET plan_cache_mode = force_custom_plan")
