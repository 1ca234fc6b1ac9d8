"""The content of a claimed batch: rows in the archive's columns, and which of them correct archived calls."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollbook.archive._pyarrow import arrow_csv, pa, pc
from tollbook.archive.schema import ARCHIVE_COLUMNS, NO_ACCOUNT, TIMES, archived_account, arrow_schema
from tollbook.model.call_key import CallKey
from tollbook.store.outbox_rows import OUTBOX_COLUMNS, ROW_COLUMNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """A call that may be archived already, under one of these archived account names, or under any if None.

    `gone`: PostgreSQL has no row of it any more, since `since_ms`, epoch ms.
    """

    key: CallKey
    accounts: frozenset[str] | None
    gone: bool
    since_ms: int


@dataclass(frozen=True, kw_only=True)
class BatchContent:
    """`rows`: an Arrow table with the archive's columns. Deleted calls have no row, only a correction."""

    rows: Any
    corrections: tuple[Correction, ...]


def parse(csv: bytes | memoryview) -> BatchContent:
    """Parse what `tollbook.store.outbox_rows.read_csv` returns."""
    table = _read(csv, OUTBOX_COLUMNS) if csv else _empty()
    names = (*CallKey._fields, "account_id", "gone", "deleted", "prior_accounts", "since_ms")
    maybe_archived = table.select(names).filter(
        pc.or_(pc.or_(table["gone"], table["deleted"]), pc.greater(pc.fill_null(table["revision"], 0), 1))
    )
    corrections = zip(*(maybe_archived[name].to_pylist() for name in names), strict=True)
    some_gone = pc.any(table["gone"]).as_py()  # to filter copies everything
    return BatchContent(
        rows=_rows(table.filter(pc.invert(table["gone"])) if some_gone else table),
        corrections=tuple(_correction(*values) for values in corrections),
    )


def parse_rows(csv: bytes | memoryview) -> Any:
    """Parse rows as CSV with `store.outbox_rows.ROW_COLUMNS` into an Arrow table with the archive's columns."""
    return _rows(_read(csv, ROW_COLUMNS)) if csv else arrow_schema().empty_table()


def _correction(
    start_ts: int,
    call_id: str,
    switch: str,
    account: str | None,
    gone: bool,
    deleted: bool,
    prior: str | None,
    since_ms: int,
) -> Correction:
    """Return a row's correction. A deleted row has lost its history of accounts: any of them may have it."""
    accounts = None if gone or deleted else frozenset(map(archived_account, [account, *json.loads(prior or "[]")]))
    return Correction(key=CallKey(start_ts, call_id, switch), accounts=accounts, gone=gone, since_ms=since_ms)


def _csv_types() -> dict[str, Any]:
    archived = arrow_schema()
    types = {name: pa.int64() if name in TIMES else archived.field(name).type for name in ARCHIVE_COLUMNS}
    return types | {"gone": pa.bool_(), "deleted": pa.bool_(), "prior_accounts": pa.string(), "since_ms": pa.int64()}


def _empty() -> Any:
    return pa.table({name: pa.array([], kind) for name, kind in _csv_types().items()})


def _read(csv: bytes | memoryview, columns: Sequence[str]) -> Any:
    return arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(csv)),  # not copied
        # One block, because a row longer than a block is an error; the batch fits in memory anyway.
        read_options=arrow_csv.ReadOptions(column_names=columns, block_size=len(csv) + 1),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: kind for name, kind in _csv_types().items() if name in columns},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _rows(table: Any) -> Any:
    for name in TIMES:
        column = table[name].cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC"))
        table = table.set_column(table.column_names.index(name), name, column)
    names = pc.dictionary_encode(table["account_id"]).unify_dictionaries().combine_chunks()
    return (
        table.set_column(table.column_names.index("account_id"), "account_id", _archived_names(names))
        .select(ARCHIVE_COLUMNS)
        .cast(arrow_schema())
    )


def _archived_names(encoded: Any) -> Any:
    """Rename each account once, not each row: a batch has a thousand times more rows than accounts."""
    names = pa.array([archived_account(account) for account in encoded.dictionary.to_pylist()], pa.large_string())
    return pc.fill_null(names.take(encoded.indices), NO_ACCOUNT)
