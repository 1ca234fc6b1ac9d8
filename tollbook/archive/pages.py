"""Pages of the archive: calls as rows, with times in epoch ms, read by key."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files, read_batches, read_tagged
from tollbook.archive.bounds import start_bounds, table_span
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import matching, started, with_variables
from tollbook.archive.rows import SortedKeys, epoch_ms
from tollbook.archive.schema import ARCHIVE_COLUMNS, TIMES, account_of
from tollbook.archive.spans import Extent, Span, spans_to_plan, spans_to_read
from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS, key_of, read_columns
from tollbook.times import US_PER_MS

# The rows that `read_all` holds in memory at once.
PAGE_ROWS = 10_000
# How many files are read before it is asked whether the others can have a row of the page: an operator's may touch a
# file of each account, and be full after a hundredth of them.
_FILES_AT_ONCE = 32
# When so many rows have been looked at, and so many times the page's, and it is not full, its rows are few.
_SPARSE_AFTER = 2_000
_SPARSE_TIMES = 20


def read_page(
    table: Table,
    selection: Selection,
    limit: int,
    excluded: Collection[CallKey] = frozenset(),
    columns: tuple[str, ...] = KEYED_COLUMNS,
) -> list[Record]:
    """Read the first `limit` archived calls of a selection, in its order, except those with a key in `excluded`.

    `columns` begin with KEYED_COLUMNS; a column that the archive does not have is None in every row. Memory is bounded
    by the limit and `tollbook.archive.spans.MAX_ROWS`, whatever the archive holds. Raises ArchiveError.
    """
    with archive_errors("reading the archive"):
        span = _span(table, selection)
        page = _Page(selection=selection, limit=limit, excluded=excluded, columns=columns)
        archived = tuple(name for name in columns if name in ARCHIVE_COLUMNS)
        if selection.filters.var is not None:
            archived = tuple(dict.fromkeys((*archived, "vars")))
        reading = _Reading(table, selection, archived, limit, page)
        for planned in spans_to_plan(span, selection.order) if span else ():
            reading.read(planned)
            if page.full:
                break
        return page.records()


def read_all(
    table: Table, selection: Selection, *, limit: int | None = None, columns: Sequence[str] = COLUMNS
) -> Iterator[Record]:
    """Yield all archived calls of a selection, or the first `limit`, with these columns, read page by page.

    Raises ArchiveError, even after the first page.
    """
    read = read_columns(columns)
    shown = itemgetter(*map(read.index, columns))
    left = limit
    while left is None or left > 0:
        page_rows = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        rows = read_page(table, selection, page_rows, columns=read)
        yield from map(shown, rows)
        if len(rows) < page_rows:
            return
        left = None if left is None else left - page_rows
        selection = replace(selection, after=key_of(rows[-1]))


class _Reading:
    """Reads rows into a page, a planned span after the other, until it is full."""

    def __init__(self, table: Table, selection: Selection, columns: tuple[str, ...], limit: int, page: "_Page") -> None:
        self._table, self._selection, self._columns = table, selection, columns
        self._limit, self._page = limit, page
        self._looked_at = 0.0  # rows
        self._sparse = False

    def read(self, planned: Span) -> None:
        """Read the rows of a planned span, or as many of them as the page needs."""
        plan = plan_files(self._table, _row_filter(self._selection, planned))
        tasks = [(task, _extent(task.file, planned)) for task in plan]
        rest: Span | None = planned
        while rest is not None:
            if self._sparse:
                tasks = self._with_matches(tasks, rest)
            rest = self._read(tasks, rest) if tasks else None

    def _read(self, tasks: Sequence[tuple[FileScanTask, Extent]], span: Span) -> Span | None:
        """Read a span part by part; return what is left of it when the matches turn out to be few, otherwise None."""
        order = self._selection.order
        extents = [extent for _, extent in tasks]
        for part in spans_to_read(span, order, extents, self._limit):
            touched = [(task, extent) for task, extent in tasks if extent.within(part)]
            touched.sort(key=lambda found: found[1].begins(order))
            for first in range(0, len(touched), _FILES_AT_ONCE):
                if self._page.ends_before(touched[first][1]):
                    break
                some = [task for task, _ in touched[first : first + _FILES_AT_ONCE]]
                for batch in read_batches(self._table, some, _row_filter(self._selection, part), self._columns):
                    self._page.add(pa.table(batch))
                self._page.cut()
            if self._page.full:
                return None
            self._looked_at += sum(extent.within(part) for extent in extents)
            if not self._sparse and self._looked_at >= max(_SPARSE_AFTER, _SPARSE_TIMES * self._limit):
                self._sparse = True
                return span.beyond(part, order)
        return None

    def _with_matches(
        self, tasks: Sequence[tuple[FileScanTask, Extent]], span: Span
    ) -> list[tuple[FileScanTask, Extent]]:
        """Keep the files that have matches in a span, with the extent of these alone.

        For that the columns which the filters need are read, and no others: numbers are a tenth of a call's bytes.
        """
        wanted = _row_filter(self._selection, span)
        filters = self._selection.filters
        columns = ("start_ts", *(("vars",) if filters.var is not None else ()))
        # Another engine's deletes are applied by `read_batches` alone.
        found = [(task, extent) for task, extent in tasks if task.delete_files]
        extents: dict[str, Extent] = {}
        sound = {task.file.file_path: task for task, _ in tasks if not task.delete_files}
        for task, batch in read_tagged(self._table, list(sound.values()), wanted, columns):
            matches = with_variables(pa.table(batch), filters)
            if matches.num_rows:
                times = pc.min_max(matches["start_ts"].cast(pa.int64())).as_py()
                extent = Extent(rows=matches.num_rows, lowest=times["min"], highest=times["max"])
                before = extents.get(task.file.file_path)
                extents[task.file.file_path] = extent if before is None else before.with_further(extent)
        return found + [(sound[path], extent) for path, extent in extents.items()]


class _Page:
    """The first `limit` rows of those read so far."""

    def __init__(
        self, *, selection: Selection, limit: int, excluded: Collection[CallKey], columns: tuple[str, ...]
    ) -> None:
        direction = "descending" if selection.order == "desc" else "ascending"
        self._order = [(name, direction) for name in CallKey._fields]
        self._selection, self._limit, self._excluded = selection, limit, SortedKeys(excluded)
        self._columns = columns
        self._rows: Any = None  # sorted, `limit` at most
        self._added: list[Any] = []  # and those that were added since
        self._added_rows = 0

    @property
    def full(self) -> bool:
        """Whether the page is full, as of the last cut."""
        return self._rows is not None and self._rows.num_rows >= self._limit

    def ends_before(self, extent: Extent) -> bool:
        """Whether the page is full of rows before any that a file may have, as of the last cut."""
        if not self.full:
            return False
        last_us = self._rows["start_ts"][-1].cast(pa.int64()).as_py()
        return last_us > extent.highest if self._selection.order == "desc" else last_us < extent.lowest

    def add(self, rows: Any) -> None:
        """Add the rows that belong on the page."""
        rows = with_variables(_rows_after(rows, self._selection), self._selection.filters)
        rows = self._excluded.dropped_from(rows)
        self._added.append(rows)
        self._added_rows += rows.num_rows
        if self._added_rows >= self._limit:
            self.cut()

    def cut(self) -> None:
        """Sort what was added into the page, and drop what it pushes off."""
        if self._added_rows:
            found = [*self._added, *([] if self._rows is None else [self._rows])]
            rows = pa.concat_tables(found, promote_options="permissive")
            self._rows = rows.sort_by(self._order).slice(0, self._limit)
        self._added, self._added_rows = [], 0

    def records(self) -> list[Record]:
        """Return the rows of the page, as of the last cut, in the order of its columns."""
        if self._rows is None:
            return []
        return list(zip(*(_values(name, self._rows) for name in self._columns), strict=True))


def _span(table: Table, selection: Selection) -> Span | None:
    """Return the times, epoch µs, in which the page's calls can lie: the rest of the selection, within the archive."""
    months = table_span(table)
    if months is None:
        return None
    first, end = selection.remaining
    return Span(first=max(first * US_PER_MS, months.first), end=min(end * US_PER_MS, months.end))


def _extent(file: DataFile, planned: Span) -> Extent:
    """Return the times of a file's rows; without bounds they may lie anywhere in the planned span."""
    first, last = start_bounds(file) or (planned.first, planned.end - 1)
    return Extent(rows=file.record_count, lowest=first, highest=last)


def _row_filter(selection: Selection, span: Span) -> Any:
    return ex.And(started(span.first, span.end), matching(selection.accounts, selection.filters))


def _rows_after(rows: Any, selection: Selection) -> Any:
    """Keep the rows after `selection.after`. The row filter has already dropped those that start before it."""
    if selection.after is None:
        return rows
    start_ts, call_id, switch = selection.after
    start = pa.scalar(start_ts * US_PER_MS, pa.int64()).cast(pa.timestamp("us", "UTC"))
    beyond = pc.less if selection.order == "desc" else pc.greater
    same_id = pc.and_(pc.equal(rows["call_id"], call_id), beyond(rows["switch"], switch))
    return rows.filter(pc.or_(beyond(rows["start_ts"], start), pc.or_(beyond(rows["call_id"], call_id), same_id)))


def _values(name: str, rows: Any) -> list[object]:
    if name not in ARCHIVE_COLUMNS:
        return [None] * rows.num_rows
    if name in TIMES:
        return epoch_ms(rows[name]).to_pylist()
    if name == "account_id":
        return [account_of(archived) for archived in rows[name].to_pylist()]
    return rows[name].to_pylist()
