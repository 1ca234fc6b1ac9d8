"""A table of another PostgreSQL database as a CSV file, read as it comes."""

import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast

import psycopg
from psycopg import sql

from tollbook.database_url import check_database_url
from tollbook.errors import UsageError

_CONNECT_S: Final = 10
_BUFFER_BYTES: Final = 256 * 1024


class _Copied(io.RawIOBase):
    """The rest of a COPY, as a file."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._left = b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into the buffer."""
        if not self._left:
            self._left = bytes(self._copy.read())
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@contextmanager
def copied_table(url: str, table: str) -> Generator[BinaryIO]:
    """Open a table, `cdr` or `schema.cdr`, as CSV with a header, in UTF-8 and with times in UTC; raise UsageError."""
    try:
        check_database_url(url)
    except ValueError as error:
        raise UsageError(f"the URL of the database cannot be read: {error}") from None
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT csv, HEADER)").format(sql.Identifier(*table.split(".")))
    try:
        with (
            psycopg.connect(url, connect_timeout=_CONNECT_S, client_encoding="utf8") as source,
            source.cursor() as cursor,
        ):
            cursor.execute("SET TimeZone TO 'UTC'")
            with cursor.copy(statement) as copy:
                yield cast("BinaryIO", io.BufferedReader(_Copied(copy), _BUFFER_BYTES))
    except psycopg.Error as error:
        # Not the URL, which holds a password.
        raise UsageError(f"the table {table} cannot be read from its database: {str(error).strip()}") from None
