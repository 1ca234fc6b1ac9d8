"""The archived calls that a question is about, as Arrow batches: what an engine in this process reads.

Tollbook reads the files itself, for an engine's own reader verifies no page checksums, and knows neither the archive's
storage nor its conditions. A row group is in memory at a time, whatever the archive holds.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

from pyiceberg.table import FileScanTask, Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, plan_files
from tollbook.archive.bounds import start_bounds
from tollbook.archive.damage import naming_damage
from tollbook.archive.engine.question import Question
from tollbook.archive.engine.sql import columns_of
from tollbook.archive.row_filter import matching, started, with_variables
from tollbook.archive.row_groups import read_row_groups
from tollbook.archive.rows import SortedKeys
from tollbook.archive.schema import arrow_schema
from tollbook.model.call_key import CallKey
from tollbook.times import LAST_MS, US_PER_MS

_SLICE_ROWS: Final = 20_000
# Some seconds of reading.
_LOOKED_AT_BYTES: Final = 1024**3


def row_filter(question: Question) -> Any:
    """Return the condition that a question's calls meet, but for the values of variables."""
    selection = question.selection
    started_then = started(selection.since * US_PER_MS, selection.until * US_PER_MS)
    return ex.And(started_then, matching(selection.accounts, selection.filters))


def read_calls(table: Table, question: Question, excluded: Collection[CallKey]) -> Iterator[Any]:
    """Yield the question's calls, except those with a key in `excluded`, as Arrow batches of `schema_of`.

    Raises ArchiveDamaged, SchemaError as `read_row_groups`, and what pyarrow and pyiceberg raise.
    """
    columns = columns_of(question)
    wanted = row_filter(question)
    filters = question.selection.filters
    filtered = ("vars",) if filters.var is not None else ()
    dropped = SortedKeys(excluded)
    for task in plan_files(table, wanted):
        keys = CallKey._fields if _may_hold(task, dropped) else ()
        read = tuple(dict.fromkeys((*columns, *filtered, *keys)))
        for batch in read_row_groups(table, task, wanted, read, slice_rows=_SLICE_ROWS):
            rows = with_variables(pa.table(batch), filters)
            if keys:
                rows = dropped.dropped_from(rows)
            yield from rows.select(columns).to_batches()


def look_for_damage(table: Table, question: Question, error: Exception) -> None:
    """Raise ArchiveDamaged if an error is explained by a file that a question needs and that is missing or damaged.

    For an engine that reads the files itself, and whose errors do not say it. At most _LOOKED_AT_BYTES are looked at.
    """
    files = [task.file for task in plan_files(table, row_filter(question))]
    sizes = accumulate(file.file_size_in_bytes for file in files)
    near = [file for file, size in zip(files, sizes, strict=True) if size <= _LOOKED_AT_BYTES]
    with suppress(type(error)), naming_damage(table.io, near):
        raise error


def schema_of(question: Question) -> Any:
    """Return the columns of a question's calls as a pyarrow schema."""
    return pa.schema([arrow_schema().field(name) for name in columns_of(question)])


def _may_hold(task: FileScanTask, keys: SortedKeys) -> bool:
    """Return whether a file may hold one of these keys, by its times.

    Only then are the keys of its calls read: ids are most of an archive's bytes.
    """
    first, last = start_bounds(task.file) or (0, LAST_MS * US_PER_MS)
    return bool(keys.between(first // US_PER_MS, last // US_PER_MS))
