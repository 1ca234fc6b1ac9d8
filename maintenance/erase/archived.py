"""The archived calls of an erasure: found, and removed from the data files that hold them.

Call as sole archiver, from finding them to the last commit: what is archived meanwhile would be in neither list.
"""

import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from itertools import islice
from typing import Any, Final

from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from maintenance.archive.commit import exchange_files
from maintenance.archive.data_files import partition_key
from maintenance.archive.digests import Digests
from maintenance.archive.hashed_files import WrittenFile
from maintenance.compaction.merge import merge
from maintenance.erase.scope import Scope
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files, read_batches
from tollbook.archive.bounds import start_bounds
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.rows import epoch_ms, find_keys, without
from tollbook.archive.schema import account_of
from tollbook.errors import SchemaError
from tollbook.model.call_key import CallKey
from tollbook.model.numbers import SEPARATORS
from tollbook.store.erasure.calls import ErasedCall
from tollbook.store.erasure.naming import RowTexts
from tollbook.times import US_PER_MS

# The size of a commit. To drop a file costs nothing; to rewrite one, as much as to compact it.
_DROPPED_FILES: Final = 10_000
_REWRITTEN_FILES: Final = 200
_THREADS: Final = 4

_TEXTS: Final = RowTexts._fields
_FOUND_COLUMNS: Final = (*CallKey._fields, "account_id")
_SEPARATORS: Final = f"[{re.escape(SEPARATORS)}]"

#: Returns the erased calls that started from one time to another, epoch ms, both included.
ErasedBetween = Callable[[int, int], list[CallKey]]


def count_account(table: Table, scope: Scope) -> int:
    """Count the archived calls of an account from the metadata: of a file that is erased in part, all of them."""
    with archive_errors("looking for archived calls"):
        return sum(task.file.record_count for task in plan_files(table, _row_filter(scope)))


def find_calls(table: Table, scope: Scope) -> Iterator[list[ErasedCall]]:
    """Yield the archived calls of an erasure, a batch of some thousand rows at a time; raise ArchiveError."""
    wanted = _row_filter(scope)
    columns = (*_FOUND_COLUMNS, *_TEXTS) if scope.number else _FOUND_COLUMNS
    with archive_errors("looking for archived calls"):
        for batch in read_batches(table, plan_files(table, wanted), wanted, columns):
            rows = pa.table(batch)
            if scope.number:
                rows = _holding(rows, scope.number.sought)
            starts = epoch_ms(rows["start_ts"]).to_pylist()
            found = [
                (CallKey(start_ts, row["call_id"], row["switch"]), account_of(row["account_id"]))
                for start_ts, row in zip(starts, rows.to_pylist(), strict=True)
                if _is_named(scope, row)
            ]
            if found:
                yield found


def accounts_of(table: Table, keys: Collection[CallKey]) -> dict[CallKey, str | None]:
    """Return the accounts of those of these calls that are archived; raise ArchiveError."""
    starts = [key.start_ts for key in keys]
    if not starts:
        return {}
    found: dict[CallKey, str | None] = {}
    wanted = started(min(starts) * US_PER_MS, (max(starts) + 1) * US_PER_MS)
    with archive_errors("looking for archived calls"):
        for batch in read_batches(table, plan_files(table, wanted), wanted, _FOUND_COLUMNS):
            rows = pa.table(batch)
            for number, key in find_keys(rows, keys).items():
                found[key] = account_of(rows["account_id"][number].as_py())
    return found


def _row_filter(scope: Scope) -> Any:
    wanted = started(0, scope.until_ts * US_PER_MS)
    return wanted if scope.account_id is None else ex.And(wanted, of_accounts([scope.account_id]))


def _holding(rows: Any, digits: str) -> Any:
    """Keep the rows with these digits in one of the texts, whatever separates them."""
    texts = (pc.replace_substring_regex(rows[name].cast(pa.string()), _SEPARATORS, "") for name in _TEXTS)
    holding = (pc.fill_null(pc.match_substring(text, digits), False) for text in texts)
    return rows.filter(reduce(pc.or_, holding))


def _is_named(scope: Scope, row: dict[str, Any]) -> bool:
    if scope.number is None:
        return True
    return scope.number.named_in_row(RowTexts(*(row[name] for name in _TEXTS)), account_of(row["account_id"]))


@dataclass(frozen=True, kw_only=True)
class _Touched:
    """A data file with erased calls. `keep` returns the rows that stay; None: none does."""

    file: DataFile
    keep: Callable[[Any], Any] | None


def remove_some(table: Table, scope: Scope, erased_between: ErasedBetween) -> int:
    """Remove the erased calls from some data files in one commit; return how many files, 0 when none has any.

    Raises ArchiveError, after which only loading the table again shows whether the commit succeeded, and SchemaError
    for a file of which another engine has deleted rows.
    """
    with archive_errors("erasing archived calls"):
        touched = list(_fit_one_commit(_touched(table, scope, erased_between)))
        if not touched:
            return 0

        digests = Digests(table)

        def rewritten(one: _Touched) -> WrittenFile | None:
            if one.keep is None:
                return None
            digests.check(one.file)  # damage must not become part of a sound file
            key = partition_key(table, one.file.partition[0], one.file.partition[1])
            return merge(table, [one.file], key, keep=one.keep)

        with ThreadPoolExecutor(_THREADS) as threads:
            written = list(threads.map(rewritten, touched))
        added = [kept for kept in written if kept is not None]
        exchange_files(table, [one.file for one in touched], added, {})
    return len(touched)


def _touched(table: Table, scope: Scope, erased_between: ErasedBetween) -> Iterator[_Touched]:
    for task in plan_files(table, _row_filter(scope)):
        first_us, last_us = start_bounds(task.file) or (-(2**63), 2**63 - 1)
        if scope.number is None and last_us < scope.until_ts * US_PER_MS:
            yield _Touched(file=_whole(task), keep=None)
            continue
        if scope.number is None:
            keep = partial(_later, until_ms=scope.until_ts)
        elif keys := set(erased_between(first_us // US_PER_MS, last_us // US_PER_MS)):
            keep = partial(_others, keys=keys)
        else:
            continue
        kept = sum(keep(rows).num_rows for rows in _keys_in(table, task))
        if kept < task.file.record_count:
            yield _Touched(file=_whole(task), keep=keep if kept else None)


def _whole(task: FileScanTask) -> DataFile:
    if task.delete_files:
        raise SchemaError(
            "another engine has deleted rows from the archive by delete files, which Tollbook does not apply:"
            " have that engine rewrite them into the data files first"
        )
    return task.file


def _keys_in(table: Table, task: FileScanTask) -> Iterator[Any]:
    return map(pa.table, read_batches(table, [task], ex.AlwaysTrue(), CallKey._fields))


def _later(rows: Any, *, until_ms: int) -> Any:
    return rows.filter(pc.greater_equal(epoch_ms(rows["start_ts"]), until_ms))


def _others(rows: Any, *, keys: set[CallKey]) -> Any:
    return without(rows, find_keys(rows, keys))


def _fit_one_commit(touched: Iterator[_Touched]) -> Iterator[_Touched]:
    rewritten = 0
    for one in islice(touched, _DROPPED_FILES):
        rewritten += one.keep is not None
        yield one
        if rewritten == _REWRITTEN_FILES:
            return
