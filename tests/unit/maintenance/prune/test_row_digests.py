"""Two days have the same digests only if they have the same rows, in whatever order."""

import random
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from maintenance.prune.differences import CallDifference, differences
from maintenance.prune.row_digests import MS_PER_MINUTE, RowDigests, row_texts
from tollbook.archive.schema import arrow_schema
from tollbook.model.call_key import CallKey

# Texts that could be taken for each other when columns are joined.
TEXTS = st.one_of(st.none(), st.text(alphabet="n1,\\\x01 \x1f", max_size=3))
COLUMNS = ("queue_id", "agent_id", "hangup_cause", "parts")
ROWS = st.lists(st.tuples(*[TEXTS] * len(COLUMNS)), min_size=1, max_size=6)


def table(rows: list[tuple[object, ...]], *, minutes: int = 1) -> Any:
    """Rows with these columns, spread over some minutes, each with a key of its own."""
    whole: dict[str, Any] = {
        "account_id": "acme", "direction": "inbound", "from_num": "", "to_num": "", "answered": 0, "revision": 1,
        "switch": "fs1",
    }  # fmt: skip
    made = [
        {
            **whole, "call_id": f"c{place}", "start_ts": place % minutes * MS_PER_MINUTE * 1000,
            **dict(zip(COLUMNS, row, strict=True)),
        }
        for place, row in enumerate(rows)
    ]  # fmt: skip
    names = arrow_schema().names
    columns = {name: [row.get(name) for row in made] for name in names}
    return pa.table({name: pa.array(columns[name], arrow_schema().field(name).type) for name in names})


def digests(*tables: Any) -> RowDigests:
    found = RowDigests()
    for rows in tables:
        found.add(rows)
    return found


@given(ROWS, ROWS)
@example([("", "", "", "")], [(None, "", "", "")])
@example([("", "", "", None)], [(None, "", "", "")])
@example([("n", "1", "", "")], [("n1", "", "", "")])
@example([("n,", "1", "", "")], [("n", ",1", "", "")])
def test_rows_have_the_same_text_only_if_all_columns_are_the_same(
    ours: list[tuple[object, ...]], theirs: list[tuple[object, ...]]
) -> None:
    """NULL is no empty text, and no text runs into the next column."""
    size = min(len(ours), len(theirs))
    same = [one == other for one, other in zip(ours, theirs, strict=False)]
    texts = zip(row_texts(table(ours[:size])), row_texts(table(theirs[:size])), strict=True)
    assert [one == other for one, other in texts] == same


@given(ROWS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(rows: list[tuple[object, ...]], minutes: int, dice: random.Random) -> None:
    """Nor into how many tables the rows are cut."""
    whole = table(rows, minutes=minutes)
    order = list(range(len(rows)))
    dice.shuffle(order)
    parts = [whole.take(pa.array(places, pa.int64())) for places in (order[:2], order[2:])]
    assert list(digests(whole).differing_minutes(digests(*parts))) == []
    merged = digests(parts[0])
    merged.merge(digests(parts[1]))
    assert list(digests(whole).differing_minutes(merged)) == []
    assert merged.total == len(rows)


def test_the_minutes_that_differ_are_found() -> None:
    """A changed row, a lost one, and one that is there twice: each in its minute."""
    whole = table([(str(place), None, None, None) for place in range(8)], minutes=4)
    changed = table([("x" if place == 1 else str(place), None, None, None) for place in range(8)], minutes=4)
    other = digests(changed.take([0, 1, 2, 4, 5, 6, 7, 6]))
    assert list(digests(whole).differing_minutes(other)) == [(1, 2), (2, 3), (3, 2)]


def test_differences_name_calls_and_columns() -> None:
    """In the order of their keys; a column that a file lacks is compared in the others."""
    ours = table([("q", "a", None, "[]"), ("q", "a", None, "[]"), ("q", "a", None, "[]")])
    theirs = table([("q", "a", None, "[]"), ("q", None, None, "[1]"), ("q", "a", "x", "[]"), ("q", "a", None, "[]")])
    older = theirs.take([0]).drop_columns(["currency", "parts"])
    found = list(differences(ours, [older, theirs.take([1, 3]), theirs.take([3])]))
    assert found == [
        CallDifference(key=CallKey(0, "c1", "fs1"), how="differs in agent_id, parts"),
        CallDifference(key=CallKey(0, "c2", "fs1"), how="is not in the archive"),
        CallDifference(key=CallKey(0, "c3", "fs1"), how="is only in the archive"),
    ]
