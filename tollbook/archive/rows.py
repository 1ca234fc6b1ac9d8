"""Archived rows as Arrow tables and as Python objects: times in epoch ms, and the rows that have certain keys."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from tollbook.archive._pyarrow import pa, pc
from tollbook.archive.schema import ARCHIVE_COLUMNS, TIMES, account_of
from tollbook.model.call_key import CallKey
from tollbook.times import US_PER_MS

#: An archived call: all columns by name, times in epoch ms, and its account as PostgreSQL has it.
ArchivedRow: TypeAlias = dict[str, Any]


def epoch_ms(times: Any) -> Any:
    """Return an Arrow array of the archive's times, which count in µs, as epoch ms."""
    return pc.divide(times.cast(pa.int64()), US_PER_MS)


def find_keys(rows: Any, keys: Collection[CallKey]) -> Mapping[int, CallKey]:
    """Return, by row number, the keys of the rows whose key is in `keys`.

    Only rows with one of their call ids become Python objects.
    """
    ids = pa.array([key.call_id for key in keys], rows["call_id"].type)
    numbers = pc.indices_nonzero(pc.is_in(rows["call_id"], value_set=ids))
    near = rows.select(CallKey._fields).take(numbers)
    starts = epoch_ms(near["start_ts"]).to_pylist()
    found = map(CallKey, starts, near["call_id"].to_pylist(), near["switch"].to_pylist())
    return {number: key for number, key in zip(numbers.to_pylist(), found, strict=True) if key in keys}


class SortedKeys:
    """Keys of calls that are looked for batch by batch: in each only those of its times, so that many cost no more.

    After a re-rate of archived calls they may be a hundred thousand, and a batch has 20,000 rows.
    """

    def __init__(self, keys: Collection[CallKey]) -> None:
        self._keys = sorted(keys)
        self._starts = [key.start_ts for key in self._keys]

    def between(self, first_ms: int, last_ms: int) -> Sequence[CallKey]:
        """Return the keys of calls that started from `first_ms` to `last_ms`, both included."""
        return self._keys[bisect_left(self._starts, first_ms) : bisect_right(self._starts, last_ms)]

    def dropped_from(self, rows: Any) -> Any:
        """Return the rows that have none of the keys."""
        if not self._keys or not rows.num_rows:
            return rows
        times = pc.min_max(epoch_ms(rows["start_ts"]))
        near = frozenset(self.between(times["min"].as_py(), times["max"].as_py()))
        return without(rows, find_keys(rows, near)) if near else rows


def without(rows: Any, numbers: Collection[int]) -> Any:
    """Return the rows whose numbers are not among these."""
    if not numbers:
        return rows
    kept = bytearray(b"\1") * rows.num_rows  # a list of 200,000 booleans takes 5 ms, this 0.1 ms
    for number in numbers:
        kept[number] = 0
    mask = pa.Array.from_buffers(pa.uint8(), rows.num_rows, [None, pa.py_buffer(kept)])
    return rows.filter(mask.cast(pa.bool_()))


def records_of(batch: Any) -> list[ArchivedRow]:
    """Return the calls of an Arrow batch that has all columns."""
    columns = {name: batch.column(name) for name in ARCHIVE_COLUMNS}
    for name in TIMES:
        columns[name] = epoch_ms(columns[name])
    rows: list[ArchivedRow] = pa.table(columns).to_pylist()
    for row in rows:
        row["account_id"] = account_of(row["account_id"])
    return rows
