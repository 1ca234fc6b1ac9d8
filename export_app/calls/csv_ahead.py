"""A large page of CSV, made while PostgreSQL still reads its rows: with two cores, half of the work costs no time."""

import operator
from collections.abc import Sequence
from typing import Final

from export_app.calls.csv_page import encode_header, encode_lines
from export_app.calls.page import Page
from tollbook.model.record import Record

# Below that, rows that come in parts cost more than they spare.
LARGE_ROWS: Final = 2_000


class CsvAhead:
    """The lines of the first `limit` rows that come, in the hope that they are the page."""

    def __init__(self, columns: tuple[str, ...], limit: int, *, raw: bool) -> None:
        self._columns, self._limit, self._raw = columns, limit, raw
        self._rows: list[Record] = []
        self._pieces = [encode_header(columns)]

    def add(self, rows: Sequence[Record]) -> None:
        """Encode the next rows, in the columns that a Page reads."""
        rows = rows[: self._limit - len(self._rows)]
        self._rows += rows
        shown = Page(columns=self._columns, read=rows, since=0, until=0).rows()
        self._pieces += encode_lines(shown, len(self._columns), raw=self._raw)

    def page(self, rows: Sequence[Record]) -> bytes | None:
        """Return the page of these rows, as `encode_page` makes it; None unless they are those that came.

        They are others where the page goes on in the archive, or where its reader is not shown all that was read.
        """
        if len(rows) != len(self._rows) or not all(map(operator.is_, rows, self._rows)):
            return None
        return b"".join(self._pieces)
