"""The columns of `call_cdr` in SQL, built from the model's list."""

from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

from tollbook.model.record import COLUMNS, EXTRA_COLUMNS

#: The columns that the listener or a correction writes: the public record, and what we keep beside it for ourselves.
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

# How each column is selected; the ones that need more than their name come last.
_SELECTED: Final[dict[str, LiteralString]] = {
    **{name: name for name in (*COLUMNS, *EXTRA_COLUMNS, "unrated")},
    "parts": "parts::text",
    "changed": "changed::text::bigint",
}


def select_clause(columns: Sequence[str]) -> LiteralString:
    """Return `SELECT … FROM call_cdr` for these columns; raises KeyError for a column that it cannot select.

    Beside the record's columns there are `unrated`, `parts` as JSON text, and `changed`.
    """
    selected: list[LiteralString] = [_SELECTED[name] for name in columns]
    return f"SELECT {', '.join(selected)} FROM call_cdr"  # noqa: S608 - all literals, as the type says


def names(columns: Iterable[LiteralString], prefix: LiteralString = "") -> LiteralString:
    """Return columns as a list for a statement, each with `prefix` before it: `old.call_id, old.account_id`."""
    return ", ".join(f"{prefix}{column}" for column in columns)


def type_of(column: LiteralString) -> LiteralString:
    """Return the type of one of the columns WRITTEN."""
    return _TYPES.get(column, "text")
