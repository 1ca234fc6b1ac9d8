"""A digest of every column of many rows, a minute at a time: the same for the same rows in any order. Pure.

Both tiers come as Arrow tables with the archive's columns, as the archiver writes them. The digests of the rows of a
minute are added up: so a day of a million calls is compared in 1,440 numbers, and where they differ, a minute is read
again.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from tollbook.archive._pyarrow import pa, pc
from tollbook.archive.rows import epoch_ms

MS_PER_MINUTE = 60_000

_DIGEST_BYTES = 16
# No text in PostgreSQL holds it, so two rows have the same text only if all their columns are the same.
_SEPARATOR: Any = pa.scalar("\0", pa.large_string())


@dataclass(kw_only=True, slots=True)
class RowDigests:
    """Calls, and the sum of their digests, by the minute (since 1970-01-01) in which they started."""

    calls: defaultdict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))
    sums: defaultdict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))

    def add(self, rows: Any) -> None:
        """Add rows, an Arrow table or batch."""
        minutes = pc.divide(epoch_ms(rows["start_ts"]), MS_PER_MINUTE).to_pylist()
        for minute, text in zip(minutes, row_texts(rows), strict=True):
            self.calls[minute] += 1
            self.sums[minute] += int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest())

    def merge(self, other: "RowDigests") -> None:
        """Add the digests of other rows."""
        for minute, digest in other.sums.items():
            self.calls[minute] += other.calls[minute]
            self.sums[minute] += digest

    @property
    def total(self) -> int:
        """The number of calls."""
        return sum(self.calls.values())

    def differing_minutes(self, other: "RowDigests") -> Iterator[tuple[int, int]]:
        """Yield the minutes in which the rows are not the same, in order, with the calls in the fuller one."""
        for minute in sorted(self.sums.keys() | other.sums.keys()):
            calls = (self.calls.get(minute, 0), other.calls.get(minute, 0))
            if calls[0] != calls[1] or self.sums.get(minute, 0) != other.sums.get(minute, 0):
                yield minute, max(calls)


def row_texts(rows: Any) -> list[bytes]:
    """Return each row's columns as one text; NULL is unlike any value."""
    columns = [rows[name] for name in rows.schema.names]
    nulls = pa.array([0] * len(rows), pa.int64())
    for place, column in enumerate(columns):
        nulls = pc.add(nulls, pc.multiply(column.is_null().cast(pa.int64()), 1 << place))
    texts = [_as_text(column) for column in (nulls, *columns)]
    joined = pc.binary_join_element_wise(*texts, _SEPARATOR, null_handling="replace", null_replacement="")
    return joined.cast(pa.large_binary()).to_pylist()


def _as_text(column: Any) -> Any:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.large_string())
