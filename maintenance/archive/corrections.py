"""Find the data files with calls that a batch corrects, and the rows of them to keep.

pyiceberg's own `delete` evaluates a filter in Python for every file, three times over, and takes minutes for ten
thousand corrections in a thousand files. Here the plan asks only for accounts and a span of time, each file's bounds
are compared with the sorted times of the corrections, and rows are matched by their exact keys.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from maintenance.archive.batch import Correction
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import plan_files, read_file
from tollbook.archive.bounds import start_bounds
from tollbook.archive.row_filter import started
from tollbook.archive.rows import find_keys, without
from tollbook.model.call_key import CallKey


@dataclass(frozen=True, kw_only=True)
class CorrectedFile:
    """A data file with corrected rows, whose keys are `corrected`.

    `replaced` and `kept` are Arrow tables: of these rows, and of the others.
    """

    file: DataFile
    kept: Any
    replaced: Any
    corrected: frozenset[CallKey]


def corrected_files(table: Table, corrections: Collection[Correction]) -> Iterator[CorrectedFile]:
    """Yield, one by one, the files of the loaded archive that have a correction's call, under any of its accounts."""
    of_accounts = [correction for correction in corrections if correction.accounts is not None]
    anywhere = [correction for correction in corrections if correction.accounts is None]
    tasks = {task.file.file_path: task for group in (of_accounts, anywhere) if group for task in _plan(table, group)}
    keys = {correction.key for correction in corrections}
    for task in tasks.values():
        rows = read_file(table, task)
        found = find_keys(rows, keys)
        if found:
            yield CorrectedFile(
                file=task.file,
                kept=without(rows, found),
                replaced=rows.take(list(found)),
                corrected=frozenset(found.values()),
            )


def _plan(table: Table, corrections: Collection[Correction]) -> list[FileScanTask]:
    starts = sorted({correction.key.start_ts * 1000 for correction in corrections})
    accounts = {account for correction in corrections for account in correction.accounts or ()}
    wanted = started(starts[0], starts[-1] + 1)
    if accounts:
        wanted = ex.And(wanted, ex.In("account_id", accounts))
    return [task for task in plan_files(table, wanted) if _may_hold(task.file, starts)]


def _may_hold(file: DataFile, starts_us: list[int]) -> bool:
    """Return whether one of the sorted times is within a file's bounds; True if it has no bounds."""
    bounds = start_bounds(file)
    return bounds is None or bisect_left(starts_us, bounds[0]) < bisect_right(starts_us, bounds[1])
