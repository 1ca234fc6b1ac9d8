"""The index of call ids is sorted in parts, and comes out as if it had been sorted at once."""

import random

import pytest

from maintenance.compaction import call_ids
from tollbook.archive._pyarrow import pa


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 5000])
def test_the_parts_are_in_order_in_row_groups(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(call_ids, "_ROW_GROUP", 100)
    chance = random.Random(18)
    values = [0, 2**63 - 1, *(chance.getrandbits(63) for _ in range(count))][:count]
    found = [group.to_pylist() for group in call_ids._sorted(pa.array(values, pa.int64()))]
    assert [value for group in found for value in group] == sorted(values)
    assert all(len(group) == 100 for group in found[:-1])
