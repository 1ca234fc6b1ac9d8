"""Connections, and the one place where psycopg's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import LiteralString, TypeAlias

import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow

from tollbook.errors import DataError, SchemaBehind, SchemaError, SettingsError, StoreUnavailable, TollbookError

Connection: TypeAlias = psycopg.Connection[TupleRow]

# The revision of tollbook/store/migrations that this version reads and writes.
SCHEMA_REVISION = "0001"

CONNECT_TIMEOUT_S = 10

# No transaction of ours lasts longer than this; a search for what changed since some time starts twice this long before
# it (`tollbook.store.calls.changes`). PostgreSQL 17 and later enforce it. Older servers enforce only the limits on a
# statement and on a pause; a batch has six statements and two pauses.
LONGEST_TRANSACTION_S = 900
_STATEMENT_TIMEOUT_S = 120
_PAUSE_TIMEOUT_S = 60
_KNOWS_TRANSACTION_TIMEOUT = 170000

# SQLSTATE classes after which the same statement may succeed later: connection, resources, operator intervention,
# serialisation and deadlock, system error. 25006 comes from a standby during failover, 3D000 and 28P01 from a server
# that is being set up.
_PASSING = ("08", "53", "57", "40", "58", "55P03", "25006", "XX")


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


def check_url(url: str) -> None:
    """Raise SettingsError for a URL whose password libpq would take for a host or a port, and so print."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"port": "none"}
    ports = str(parts.get("port") or "5432").split(",")
    if "@" in str(parts.get("host") or "") or not all(not port or port.isdecimal() for port in ports):
        raise SettingsError(
            "TOLLBOOK_DATABASE_URL cannot be read: write postgresql://USER:PASSWORD@HOST:5432/DATABASE,"
            " with @ : / ? # % in the password as %40 %3A %2F %3F %23 %25"
        ) from None  # the driver's error quotes the URL, and so the password


def connect(url: str, *, name: str, autocommit: bool = False) -> Connection:
    """Open a connection whose application_name is `tollbook NAME`; raises StoreUnavailable or SettingsError."""
    check_url(url)
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            application_name=f"tollbook {name}",
            connect_timeout=CONNECT_TIMEOUT_S,
            # A server that vanished without closing the connection is noticed in half a minute, not in two hours.
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
            options=(
                f"-c timezone=UTC -c statement_timeout={_STATEMENT_TIMEOUT_S}s"
                f" -c idle_in_transaction_session_timeout={_PAUSE_TIMEOUT_S}s"
            ),
        )
        if connection.info.server_version >= _KNOWS_TRANSACTION_TIMEOUT:
            connection.execute("SELECT set_config('transaction_timeout', %s, false)", (f"{LONGEST_TRANSACTION_S}s",))
        connection.autocommit = autocommit
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        raise StoreUnavailable(f"{text}; is PostgreSQL up? check TOLLBOOK_DATABASE_URL") from error
    return connection


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
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError("a query for one value found no row")
    return row[0]
