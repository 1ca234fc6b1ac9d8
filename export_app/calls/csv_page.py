"""A page of calls as CSV, by the letter of RFC 4180: a header line, CRLF, quotes where a field needs them."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from tollbook.model.record import COLUMNS

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
NEXT_CURSOR: Final = "X-Next-Cursor"
SYNC_CURSOR: Final = "X-Sync-Cursor"

# A spreadsheet runs a field that begins like this as a formula, and callers choose their own names and numbers.
_FORMULA_STARTS = frozenset("=+-@\t\r")
_NUMBER = re.compile(r"\+?[0-9]+")

# One row that needs care costs its neighbours the fast way, no more of the page.
_CHUNK: Final = 500
# In JSON, where a text begins with a quote, and no other quote stands before a sign.
_FORMULA = re.compile(rb'"(?:[=\-@]|\+(?![0-9]+"))')

_encode = msgspec.json.Encoder().encode


def encode_page(rows: Sequence[Sequence[object]], columns: Sequence[str] = COLUMNS, *, raw: bool = False) -> bytes:
    """Encode rows of these columns; null is an empty field, a truth `true` or `false`.

    Text that a spreadsheet would take for a formula gets a `'` before it, unless `raw`. The page is encoded whole:
    it is bounded, and with its length known beforehand a page that was cut on its way cannot pass for a whole one.
    """
    pieces = [",".join(columns).encode(), b"\r\n"]
    for begin in range(0, len(rows), _CHUNK):
        chunk = rows[begin : begin + _CHUNK]
        plain = _plain(chunk, len(columns), raw=raw)
        pieces.append(_careful(chunk, raw=raw) if plain is None else plain)
    return b"".join(pieces)


def defuse(text: str) -> str:
    """Put a `'` before text that a spreadsheet would run; a plain number such as +4930123 stays as it is."""
    return f"'{text}" if text[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(text) else text


def _plain(rows: Sequence[Sequence[object]], width: int, *, raw: bool) -> bytes | None:
    """Write rows none of whose fields needs quotes or a `'`; None when one may. A tenth of csv.writer's time.

    A row in JSON is a line of CSV but for its brackets, the quotes of its texts and its nulls, as long as no text
    holds what JSON escapes (quotes, backslashes, control characters, line breaks among them) or a comma.
    """
    if width < 2:
        return None  # a line of one empty field would be an empty line, which csv.writer quotes
    lines = _encode(rows)[2:-2]
    # As many commas as stand between fields and between rows: then none is in a text, and neither is `],[`.
    if b"\\" in lines or lines.count(b",") != len(rows) * width - 1 or not (raw or _FORMULA.search(lines) is None):
        return None
    # Quotes now stand around texts alone, so `null` behind a comma or a bracket is no text.
    lines = lines.replace(b",null", b",").replace(b"],[null", b"],[").replace(b"],[", b"\r\n").removeprefix(b"null")
    return lines.translate(None, b'"') + b"\r\n"


def _careful(rows: Iterable[Sequence[object]], *, raw: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerows(_fields(row, raw=raw) for row in rows)
    return text.getvalue().encode()


def _fields(row: Sequence[object], *, raw: bool) -> Iterator[object]:
    for field in row:
        if isinstance(field, bool):
            yield "true" if field else "false"
        else:
            yield defuse(field) if isinstance(field, str) and not raw else field
