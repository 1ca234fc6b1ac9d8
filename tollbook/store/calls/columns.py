"""The columns of `call_cdr` in SQL, built from the model's lists."""

from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS, JSON_COLUMNS

#: The columns that the listener or a correction writes: the public record, and what we keep beside it for ourselves.
WRITTEN: Final[tuple[LiteralString, ...]] = (
    *COLUMNS, "switch", "estimated", "currency", "unrated", "parts", *DETAIL_COLUMNS, "trunk_root"
)  # fmt: skip
#: Those that come with the price, and stay as long as what is priced does.
OF_PRICE: Final[tuple[LiteralString, ...]] = ("cost_micros", "currency", "unrated", "parts", "destination")

#: The columns of a complete call that sums are made of: those of `sum_delta` beside `sign` (store/schema.sql).
COUNTED: Final[tuple[LiteralString, ...]] = (
    "start_ts", "account_id", "direction", "disposition", "currency", "queue_id", "agent_id", "destination",
    "answered", "billsec", "cost_micros", "wait_ms", "ring_ms", "talk_ms", "trunk_legs",
)  # fmt: skip

_TYPES: Final[dict[LiteralString, LiteralString]] = {
    "start_ts": "bigint",
    "answer_ts": "bigint",
    "end_ts": "bigint",
    "duration_sec": "integer",
    "billsec": "integer",
    "answered": "integer",
    "cost_micros": "bigint",
    "estimated": "boolean",
    "pdd_ms": "bigint",
    "ring_ms": "bigint",
    "wait_ms": "bigint",
    "talk_ms": "bigint",
    "hold_ms": "bigint",
    "rx_mos": "double precision",
    "sip_status": "integer",
    "voicemail": "boolean",
    "trunk_root": "boolean",
    **dict.fromkeys(JSON_COLUMNS, "jsonb"),
}

# How each column is selected; the ones that need more than their name come last.
_SELECTED: Final[dict[str, LiteralString]] = {
    **{name: name for name in (*COLUMNS, *EXTRA_COLUMNS, "unrated", "trunk_root")},
    **{name: f"{name}::text" for name in JSON_COLUMNS},
    "changed": "changed::text::bigint",
}


def select_clause(columns: Sequence[str]) -> LiteralString:
    """Return `SELECT … FROM call_cdr` for these columns; raises KeyError for a column that it cannot select.

    Beside the record's columns there are the details, `unrated`, `trunk_root`, and `changed`; JSON_COLUMNS are read as
    text.
    """
    selected: list[LiteralString] = [_SELECTED[name] for name in columns]
    return f"SELECT {', '.join(selected)} FROM call_cdr"  # noqa: S608 - all literals, as the type says


def names(columns: Iterable[LiteralString], prefix: LiteralString = "") -> LiteralString:
    """Return columns as a list for a statement, each with `prefix` before it: `old.call_id, old.account_id`."""
    return ", ".join(f"{prefix}{column}" for column in columns)


def type_of(column: LiteralString) -> LiteralString:
    """Return the type of one of the columns WRITTEN."""
    return _TYPES.get(column, "text")
