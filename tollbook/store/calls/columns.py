"""The columns of `call_cdr` in SQL, made from the model's list of them."""

from collections.abc import Iterable
from typing import Final, LiteralString

from tollbook.model.record import COLUMNS

#: What the listener, or a correction, writes of a call: the public record, and what is kept beside it for us.
WRITTEN: Final[tuple[LiteralString, ...]] = (*COLUMNS, "switch", "estimated", "currency", "unrated", "parts")

_TYPES: Final[dict[LiteralString, LiteralString]] = {
    "start_ts": "bigint",
    "answer_ts": "bigint",
    "end_ts": "bigint",
    "duration_sec": "integer",
    "billsec": "integer",
    "answered": "integer",
    "cost_micros": "bigint",
    "estimated": "boolean",
    "parts": "jsonb",
}


def names(columns: Iterable[LiteralString], prefix: LiteralString = "") -> LiteralString:
    """Return columns as they are listed in a statement, each after `prefix`: `old.call_id, old.account_id`."""
    return ", ".join(f"{prefix}{column}" for column in columns)


def type_of(column: LiteralString) -> LiteralString:
    """Return the type of one of the columns WRITTEN."""
    return _TYPES.get(column, "text")
