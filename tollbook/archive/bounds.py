"""What the archive's metadata says about its times, without opening a data file."""

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform
from pyiceberg.types import IntegerType, TimestamptzType

from tollbook.archive._pyarrow import plan_files, untyped
from tollbook.archive.damage import naming_damaged_lists
from tollbook.archive.row_filter import started
from tollbook.archive.schema import START_FIELD
from tollbook.archive.spans import Span
from tollbook.times import US_PER_DAY, US_PER_MS

#: The lowest or the highest values of a file's columns, by the column's id, as Iceberg writes them.
Bounds: TypeAlias = Mapping[int, bytes]

_MONTH_US = 31 * US_PER_DAY


def table_span(table: Table) -> Span | None:
    """Return the span from the first month with archived calls to the last; None when the archive is empty.

    Raises ArchiveDamaged, and what pyiceberg raises.
    """
    snapshot = table.current_snapshot()
    lowest: list[int] = []
    highest: list[int] = []
    with naming_damaged_lists(table):
        manifests = snapshot.manifests(table.io) if snapshot else []
    for manifest in manifests:
        fields = table.specs()[manifest.partition_spec_id].fields
        for field, bounds in zip(fields, manifest.partitions or (), strict=False):
            if (
                field.source_id == START_FIELD
                and isinstance(untyped(field).transform, MonthTransform)
                and bounds.lower_bound
            ):
                lowest.append(from_bytes(IntegerType(), bounds.lower_bound))
                highest.append(from_bytes(IntegerType(), bounds.upper_bound or bounds.lower_bound))
    return Span(first=_month_us(min(lowest)), end=_month_us(max(highest) + 1)) if lowest else None


def first_and_last(table: Table) -> tuple[int, int] | None:
    """Return when the first and the last archived call started, epoch ms; None when the archive is empty.

    Reads the metadata of the first and the last month that have files: partitions are left when all their calls were
    deleted. Raises what pyiceberg raises.
    """
    months = _months(table)
    first = next((bounds[0] for month in months if (bounds := _month_bounds(table, month))), None)
    last = next((bounds[1] for month in reversed(months) if (bounds := _month_bounds(table, month))), None)
    return None if first is None or last is None else (first // US_PER_MS, last // US_PER_MS)


def first_start(table: Table) -> int | None:
    """Return when the first archived call started, epoch ms; None when the archive is empty. As `first_and_last`."""
    return next((bounds[0] // US_PER_MS for month in _months(table) if (bounds := _month_bounds(table, month))), None)


def _months(table: Table) -> list[Span]:
    """Return the archive's months, cut into spans of equal length."""
    span = table_span(table)
    if span is None:
        return []
    return [Span(first=first, end=min(first + _MONTH_US, span.end)) for first in range(span.first, span.end, _MONTH_US)]


def _month_bounds(table: Table, month: Span) -> tuple[int, int] | None:
    """Return the first and the last start in the files of a span, epoch µs; None without a file."""
    bounds = [
        start_bounds(task.file) or (month.first, month.end - 1)
        for task in plan_files(table, started(month.first, month.end))
    ]
    return (min(first for first, _ in bounds), max(last for _, last in bounds)) if bounds else None


def start_bounds(file: DataFile) -> tuple[int, int] | None:
    """Return the first and the last start_ts in a file, epoch µs; None when its metadata does not have them."""
    return starts_between(file.lower_bounds, file.upper_bounds)


def starts_between(lower: Bounds | None, upper: Bounds | None) -> tuple[int, int] | None:
    """Return the same of a file with these bounds."""
    lowest, highest = ((bounds or {}).get(START_FIELD) for bounds in (lower, upper))
    if lowest is None or highest is None:
        return None
    first, last = (untyped(from_bytes)(TimestamptzType(), bound) for bound in (lowest, highest))
    return first, last


def _month_us(month: int) -> int:
    """Return when a month begins, epoch µs; months count from 1970-01."""
    return int(dt.datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
