"""Connections, and the one place where psycopg's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from tollbook.database_url import CONNECT_TIMEOUT_S, connection_parameters, how_to_be_the_role
from tollbook.errors import DataError, SchemaBehind, SchemaError, StoreUnavailable, TollbookError

# The revision of tollbook/store/migrations that this version reads and writes.
SCHEMA_REVISION = "0012"

# No transaction of ours lasts longer than this; a search for what changed since some time starts twice this long before
# it (`tollbook.store.calls.changes`). PostgreSQL 17 and later enforce it. Older servers enforce only the limits on a
# statement and on a pause; a batch has six statements and two pauses.
LONGEST_TRANSACTION_S = 900
_KNOWS_TRANSACTION_TIMEOUT = 170000


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeLimits:
    """How many seconds a statement, the wait for a lock, our pauses in a transaction and a transaction may take.

    0: as long as it takes.
    """

    statement_s: float = 120
    lock_s: float = 0
    pause_s: float = 60
    transaction_s: float = LONGEST_TRANSACTION_S


STANDARD_LIMITS: Final = TimeLimits()


class Connection(psycopg.Connection[TupleRow]):
    """A connection that knows its limits of time.

    `pooled`: a pooler such as PgBouncer is between us and PostgreSQL. It may run each of our transactions in another
    session, so nothing may be left in a session, and each transaction sets its limits itself (`limit_transaction`).
    """

    limits: TimeLimits = STANDARD_LIMITS
    pooled: bool = False
    #: The row of `hot_window` in the snapshot that is being read, where `row_security.reading` has read it.
    window_row: TupleRow | None = None
    #: When a pool lent it last, s on the monotonic clock.
    lent_s: float = 0.0


# SQLSTATE classes after which the same statement may succeed later: connection, resources, operator intervention,
# serialisation and deadlock, system error. 25006 comes from a standby during failover, 25P03 and 25P04 from a
# transaction that lasted too long, 3D000 and 28P01 from a server that is being set up.
_PASSING = ("08", "53", "57", "40", "58", "55P03", "25006", "25P03", "25P04", "XX")


def translated(error: psycopg.Error) -> TollbookError:
    """Translate the driver's error into one of ours: retryable, a schema problem, or bad data."""
    state = error.sqlstate or ""
    if not state and isinstance(error, psycopg.DataError):
        return DataError(f"PostgreSQL does not accept this value: {error}")  # refused by psycopg: a NUL in a text
    text = " ".join(str(error).split()) or type(error).__name__
    if not state or state.startswith(_PASSING):
        return StoreUnavailable(f"PostgreSQL is not available: {text}")
    if state.startswith("28") or state in ("3D000", "42501"):
        return StoreUnavailable(f"PostgreSQL refuses us: {text}; check TOLLBOOK_DATABASE_URL and the role's rights")
    if state.startswith("42"):
        return SchemaError(f"the database does not have the schema we expect: {text}; run `tollbook db upgrade`")
    return DataError(f"PostgreSQL refuses a value ({state}): {text}")


@contextmanager
def store_errors() -> Generator[None]:
    """Raise our errors in place of psycopg's."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error
    except UnicodeEncodeError as error:
        # A lone surrogate: Python makes one from each undecodable byte on a command line.
        raise DataError(f"PostgreSQL does not accept this text: {error}") from error


def connect(
    url: str,
    *,
    name: str,
    autocommit: bool = False,
    limits: TimeLimits = STANDARD_LIMITS,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
) -> Connection:
    """Open a connection whose application_name is `tollbook NAME`; raises StoreUnavailable or SettingsError."""
    parameters = connection_parameters(url, name=name) | {"connect_timeout": str(connect_timeout_s)}
    try:
        connection = Connection.connect(make_conninfo(**parameters), autocommit=True)
        begin_session(connection, limits)
        connection.autocommit = autocommit
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        encoded = ", in which % is written as %25" * ("%" in url)
        role = how_to_be_the_role(parameters)
        raise StoreUnavailable(f"{text}; is PostgreSQL up? check TOLLBOOK_DATABASE_URL{encoded}{role}") from error
    return connection


def begin_session(connection: Connection, limits: TimeLimits) -> None:
    """Give a new connection its time zone and its limits. Call in autocommit.

    Behind a pooler the limits are left to each transaction, and nothing is prepared: a prepared statement stays in a
    session that the next transaction of ours may not get, and that others do. A pooler is known by the number of the
    session: it cannot hand out one server's, because it changes servers.
    """
    connection.limits = limits
    (pid, _) = _only_row(connection.execute("SELECT pg_backend_pid(), set_config('timezone', 'UTC', false)"))
    connection.pooled = pid != connection.info.backend_pid
    if connection.pooled:
        connection.prepare_threshold = None
    else:
        _set_limits(connection, for_transaction=False)


def limit_transaction(connection: Connection) -> None:
    """Set the connection's limits for the transaction that begins, where its session cannot keep them."""
    if connection.pooled:
        _set_limits(connection, for_transaction=True)


def plan_once(connection: Connection) -> None:
    """Plan each prepared statement of a session once, whatever its parameters. Raises our errors.

    Left to itself PostgreSQL may plan a batch's look for related legs anew each time, as it finds that plan a little
    better: over dozens of partitions that takes longer than the search itself.
    """
    if connection.pooled:  # nothing is prepared, and nothing may be left in a session
        return
    with store_errors():
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()


def _set_limits(connection: Connection, *, for_transaction: bool) -> None:
    limits = connection.limits
    values = [limits.statement_s, limits.lock_s, limits.pause_s]
    query = _SET_LIMITS
    if connection.info.server_version >= _KNOWS_TRANSACTION_TIMEOUT:
        values.append(limits.transaction_s)
        query = _SET_ALL_LIMITS
    connection.execute(query, [value for limit_s in values for value in (f"{limit_s * 1000:.0f}ms", for_transaction)])


_SET_LIMITS: Final[LiteralString] = (
    "SELECT set_config('statement_timeout', %s, %s), set_config('lock_timeout', %s, %s),"
    " set_config('idle_in_transaction_session_timeout', %s, %s)"
)
_SET_ALL_LIMITS: Final[LiteralString] = _SET_LIMITS + ", set_config('transaction_timeout', %s, %s)"


def check_schema(connection: Connection) -> None:
    """Raise SchemaError when the database's schema is not the one that this version needs."""
    found = "none"
    with store_errors():
        exists = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if exists and exists[0]:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            found = row[0] if row else "none"
        connection.rollback()
    if found == SCHEMA_REVISION:
        return
    known = found == "none" or found < SCHEMA_REVISION
    remedy = "run `tollbook db upgrade`" if known else "this Tollbook is older than the database: install the newer one"
    error = SchemaBehind if known else SchemaError
    raise error(f"the database's schema is {found}, this version needs {SCHEMA_REVISION}: {remedy}")


def scalar(connection: Connection, query: LiteralString, *parameters: object) -> object:
    """Run a query that returns exactly one value."""
    return _only_row(connection.execute(query, parameters))[0]


def _only_row(cursor: psycopg.Cursor[TupleRow]) -> TupleRow:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a query for one row found none")
    return row
