"""A claimed batch as the archive takes it: rows in the table's columns, and the corrections among them."""

import io
import json
from dataclasses import dataclass
from typing import Any

from tollbook.archive._pyarrow import arrow_csv, pa, pc
from tollbook.archive.schema import ARCHIVE_COLUMNS, NO_ACCOUNT, TIMES, archived_account, arrow_schema
from tollbook.model.call_key import CallKey
from tollbook.store.outbox import OUTBOX_COLUMNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """A call that may be archived already. `accounts`: the archived names it may stand under, None for any.

    `gone`: it has no row any more.
    """

    key: CallKey
    accounts: frozenset[str] | None
    gone: bool


@dataclass(frozen=True, kw_only=True)
class BatchContent:
    """`rows`: an Arrow table with the archive's columns; deleted calls are among the `corrections` alone."""

    rows: Any
    corrections: tuple[Correction, ...]


def parse(csv: bytes) -> BatchContent:
    """Parse what `tollbook.store.outbox.read_csv` returns."""
    table = _read(csv) if csv else _empty()
    maybe_archived = pc.or_(pc.or_(table["gone"], table["deleted"]), pc.greater(pc.fill_null(table["revision"], 0), 1))
    corrections = tuple(
        _correction(*values)
        for values in zip(
            *(
                table.filter(maybe_archived)[name].to_pylist()
                for name in (*CallKey._fields, "account_id", "gone", "deleted", "prior_accounts")
            ),
            strict=True,
        )
    )
    return BatchContent(
        rows=_rows(table.filter(pc.invert(table["gone"]))),
        corrections=corrections,
    )


def _correction(
    start_ts: int, call_id: str, switch: str, account: str | None, gone: bool, deleted: bool, prior: str | None
) -> Correction:
    """A deleted row took its history of accounts with it, so it is looked for under every account."""
    accounts = None if gone or deleted else frozenset(map(archived_account, [account, *json.loads(prior or "[]")]))
    return Correction(key=CallKey(start_ts, call_id, switch), accounts=accounts, gone=gone)


def _csv_types() -> dict[str, Any]:
    archived = arrow_schema()
    types = {name: pa.int64() if name in TIMES else archived.field(name).type for name in ARCHIVE_COLUMNS}
    return types | {"gone": pa.bool_(), "deleted": pa.bool_(), "prior_accounts": pa.string()}


def _empty() -> Any:
    return pa.table({name: pa.array([], kind) for name, kind in _csv_types().items()})


def _read(csv: bytes) -> Any:
    return arrow_csv.read_csv(
        io.BytesIO(csv),
        # One block: a row that is longer than a block is an error, and the batch fits in memory anyway.
        read_options=arrow_csv.ReadOptions(column_names=OUTBOX_COLUMNS, block_size=len(csv) + 1),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=_csv_types(),
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
    """Rename account by account, not row by row: a batch has a thousand times more rows than accounts."""
    names = pa.array([archived_account(one) for one in encoded.dictionary.to_pylist()], pa.large_string())
    return pc.fill_null(names.take(encoded.indices), NO_ACCOUNT)
