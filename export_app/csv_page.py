"""A page of calls as CSV, by the letter of RFC 4180: a header line, CRLF, quotes where a field needs them."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tollbook.model.row import COLUMNS

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
NEXT_CURSOR: Final = "X-Next-Cursor"

# A spreadsheet runs a field that begins like this as a formula, and callers choose their own names and numbers.
_FORMULA_STARTS = frozenset("=+-@\t\r")
_NUMBER = re.compile(r"\+?[0-9]+")


def encode_page(rows: Iterable[Sequence[object]], *, raw: bool = False) -> bytes:
    """Encode rows in the columns' public order; null is an empty field.

    Text that a spreadsheet would take for a formula gets a `'` before it, unless `raw`. The page is encoded whole:
    it is bounded, and with its length known beforehand a page that was cut on its way cannot pass for a whole one.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    writer.writerows(rows if raw else _defused(rows))
    return text.getvalue().encode()


def defuse(text: str) -> str:
    """Put a `'` before text that a spreadsheet would run; a plain number such as +4930123 stays as it is."""
    return f"'{text}" if text[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(text) else text


def _defused(rows: Iterable[Sequence[object]]) -> Iterator[list[object]]:
    for row in rows:
        yield [defuse(field) if isinstance(field, str) else field for field in row]
