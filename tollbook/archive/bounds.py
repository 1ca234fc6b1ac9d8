"""What the archive's metadata says about its times, without opening a data file."""

import datetime as dt

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform
from pyiceberg.types import IntegerType, TimestamptzType

from tollbook.archive._pyarrow import untyped
from tollbook.archive.schema import START_FIELD
from tollbook.archive.spans import Span


def table_span(table: Table) -> Span | None:
    """Return the span from the first month with archived calls to the last; None when the archive is empty.

    Raises what pyiceberg raises.
    """
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
    return Span(first=_month_us(min(lowest)), end=_month_us(max(highest) + 1)) if lowest else None


def start_bounds(file: DataFile) -> tuple[int, int] | None:
    """Return the first and the last start_ts in a file, epoch µs; None when its metadata does not have them."""
    lowest, highest = ((bounds or {}).get(START_FIELD) for bounds in (file.lower_bounds, file.upper_bounds))
    if lowest is None or highest is None:
        return None
    first, last = (untyped(from_bytes)(TimestamptzType(), bound) for bound in (lowest, highest))
    return first, last


def _month_us(month: int) -> int:
    """Return when a month begins, epoch µs; months count from 1970-01."""
    return int(dt.datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
