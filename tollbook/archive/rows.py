"""Archived rows as Arrow tables: their times in epoch ms, and the rows that have certain keys."""

from collections.abc import Collection, Mapping
from typing import Any

from tollbook.archive._pyarrow import pa, pc
from tollbook.model.call_key import CallKey


def epoch_ms(times: Any) -> Any:
    """Return an Arrow array of the archive's times, which count in µs, as epoch ms."""
    return pc.divide(times.cast(pa.int64()), 1000)


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


def without(rows: Any, numbers: Collection[int]) -> Any:
    """Return the rows whose numbers are not among these."""
    if not numbers:
        return rows
    kept = bytearray(b"\1") * rows.num_rows  # a list of 200,000 booleans takes 5 ms, this 0.1 ms
    for number in numbers:
        kept[number] = 0
    mask = pa.Array.from_buffers(pa.uint8(), rows.num_rows, [None, pa.py_buffer(kept)])
    return rows.filter(mask.cast(pa.bool_()))
