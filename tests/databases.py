"""The databases on a test's server, and how calls come into them."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.factories import Call
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

# Makes a migrated database, yields its URL, and drops it.
NewDatabase = Callable[[], AbstractContextManager[str]]


def on_server(url: str, database: str) -> str:
    """Return the URL of a database on the server whose database `postgres` has this URL."""
    return url.replace("@/postgres?", f"@/{database}?")


def store(connection: Connection, *calls: Call, with_legs: bool = False) -> None:
    """Write calls as the listener does; with partitions for the legs of their days too, if asked."""
    days = {row.start_ts // MS_PER_DAY for row, _ in calls}
    Partitions().ensure(connection, call_days=days, leg_days=days if with_legs else ())
    call_rows.upsert(connection, calls)
