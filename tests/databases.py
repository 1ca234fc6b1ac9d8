"""The databases on a test's server, by name."""

from collections.abc import Callable
from contextlib import AbstractContextManager

# Makes a migrated database, yields its URL, and drops it.
NewDatabase = Callable[[], AbstractContextManager[str]]


def on_server(url: str, database: str) -> str:
    """Return the URL of a database on the server whose database `postgres` has this URL."""
    return url.replace("@/postgres?", f"@/{database}?")
