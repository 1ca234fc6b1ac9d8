"""Reads: archived calls as rows in the public column order, with epoch ms, a page at a time."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform
from pyiceberg.types import IntegerType, TimestamptzType

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan, read_batches, untyped
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import matching, started
from tollbook.archive.schema import ARCHIVE_COLUMNS, START_FIELD, TIMES, account_of
from tollbook.archive.windows import Extent, Span, to_plan, to_read
from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS, key_of

# What `walk` holds in memory at once.
PAGE_ROWS = 10_000

_US = 1000


def page(
    table: Table,
    selection: Selection,
    limit: int,
    without: Collection[CallKey] = frozenset(),
    columns: tuple[str, ...] = KEYED_COLUMNS,
) -> list[Record]:
    """Read the first `limit` archived calls of a selection, in its order, without those whose key is in `without`.

    `columns` begin with KEYED_COLUMNS; a column that the archive does not have is None in every row. Memory is bounded
    by the limit and `tollbook.archive.windows.MOST_ROWS`, whatever the archive holds. Raises ArchiveError.
    """
    with archive_errors("reading the archive"):
        span = _span(table, selection)
        found = _Found(selection=selection, limit=limit, without=without, columns=columns)
        kept = tuple(name for name in columns if name in ARCHIVE_COLUMNS)
        for planned in to_plan(span, selection.order) if span else ():
            tasks = [(task, _extent(task.file, planned)) for task in plan(table, _row_filter(selection, planned))]
            extents = [extent for _, extent in tasks]
            for part in to_read(planned, selection.order, extents, limit) if tasks else ():
                touched = [task for task, extent in tasks if extent.within(part)]
                for batch in read_batches(table, touched, _row_filter(selection, part), kept) if touched else ():
                    found.add(pa.table(batch))
                if found.full:
                    return found.records()
        return found.records()


def walk(table: Table, selection: Selection, *, limit: int | None = None) -> Iterator[Record]:
    """Read all archived calls of a selection, or the first `limit`, in COLUMNS, page by page.

    Raises ArchiveError, also after the first row.
    """
    left = limit
    while left is None or left > 0:
        wanted = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        rows = page(table, selection, wanted)
        yield from (row[: len(COLUMNS)] for row in rows)
        if len(rows) < wanted:
            return
        left = None if left is None else left - wanted
        selection = replace(selection, after=key_of(rows[-1]))


class _Found:
    """The first rows of what was read so far."""

    def __init__(
        self, *, selection: Selection, limit: int, without: Collection[CallKey], columns: tuple[str, ...]
    ) -> None:
        way = "descending" if selection.order == "desc" else "ascending"
        self._order = [(name, way) for name in CallKey._fields]
        self._selection, self._limit, self._without = selection, limit, without
        self._columns = columns
        self._rows: Any = None

    @property
    def full(self) -> bool:
        """Tell whether the page is full."""
        return self._rows is not None and self._rows.num_rows >= self._limit

    def add(self, rows: Any) -> None:
        """Take in what belongs into the page, and forget what no longer does."""
        rows = _left(_after(rows, self._selection), self._without)
        if rows.num_rows:
            rows = rows if self._rows is None else pa.concat_tables([self._rows, rows], promote_options="permissive")
            self._rows = rows.sort_by(self._order).slice(0, self._limit)

    def records(self) -> list[Record]:
        """Give the page in the order of its columns."""
        if self._rows is None:
            return []
        return list(zip(*(_values(name, self._rows) for name in self._columns), strict=True))


def _span(table: Table, selection: Selection) -> Span | None:
    """Give the times that a page can lie in, in µs: the selection's, its cursor's, the archive's."""
    first, end = selection.remaining
    months = _months(table)
    if months is None:
        return None
    return Span(first=max(first * _US, _month_us(months[0])), end=min(end * _US, _month_us(months[1] + 1)))


def _months(table: Table) -> tuple[int, int] | None:
    """Give the first and last month of the archive, counted from 1970-01; None of an empty one."""
    snapshot = table.current_snapshot()
    lowest: list[int] = []
    highest: list[int] = []
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        fields = table.specs()[manifest.partition_spec_id].fields
        for field, bounds in zip(fields, manifest.partitions or (), strict=False):
            if (
                field.source_id == START_FIELD
                and isinstance(untyped(field).transform, MonthTransform)
                and bounds.lower_bound
            ):
                lowest.append(from_bytes(IntegerType(), bounds.lower_bound))
                highest.append(from_bytes(IntegerType(), bounds.upper_bound or bounds.lower_bound))
    return (min(lowest), max(highest)) if lowest else None


def _month_us(month: int) -> int:
    start = pa.scalar(f"{1970 + month // 12:04}-{month % 12 + 1:02}-01").cast(pa.timestamp("us"))
    return start.cast(pa.int64()).as_py()


def _extent(file: DataFile, planned: Span) -> Extent:
    """Read a file's bounds; without them its rows may lie anywhere in what was planned."""
    lowest, highest = ((bounds or {}).get(START_FIELD) for bounds in (file.lower_bounds, file.upper_bounds))
    if lowest is None or highest is None:
        return Extent(rows=file.record_count, lowest=planned.first, highest=planned.end - 1)
    first, last = (untyped(from_bytes)(TimestamptzType(), bound) for bound in (lowest, highest))
    return Extent(rows=file.record_count, lowest=first, highest=last)


def _row_filter(selection: Selection, span: Span) -> Any:
    return ex.And(started(span.first, span.end), matching(selection.accounts, selection.filters))


def _after(rows: Any, selection: Selection) -> Any:
    """Keep the rows that come after the page before; no row of the span starts before its last one, in `order`."""
    if selection.after is None:
        return rows
    start, call_id, switch = selection.after
    at = pa.scalar(start * _US, pa.int64()).cast(pa.timestamp("us", "UTC"))
    beyond = pc.less if selection.order == "desc" else pc.greater
    same_id = pc.and_(pc.equal(rows["call_id"], call_id), beyond(rows["switch"], switch))
    return rows.filter(pc.or_(beyond(rows["start_ts"], at), pc.or_(beyond(rows["call_id"], call_id), same_id)))


def _left(rows: Any, without: Collection[CallKey]) -> Any:
    if not without or not rows.num_rows:
        return rows
    starts = pc.divide(rows["start_ts"].cast(pa.int64()), _US).to_pylist()
    keys = map(CallKey, starts, rows["call_id"].to_pylist(), rows["switch"].to_pylist())
    known = [key not in without for key in keys]
    return rows.filter(pa.array(known, pa.bool_()))


def _values(name: str, rows: Any) -> list[object]:
    if name not in ARCHIVE_COLUMNS:
        return [None] * rows.num_rows
    column = rows[name]
    if name in TIMES:
        return pc.divide(column.cast(pa.int64()), _US).to_pylist()
    if name == "account_id":
        return [account_of(archived) for archived in column.to_pylist()]
    return column.to_pylist()
