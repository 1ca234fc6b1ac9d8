"""The fold over the calls made by hand: the rows of `rows.json`, in any order."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import CASES
from tests.recorded import SWITCH, legs_in, rows_in
from tollbook.model.call_tree import calls_of
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, merge_all

FOLDERS = {f"{path.parent.parent.name}/{path.parent.name}": path.parent for path in sorted(CASES.glob("*/*/rows.json"))}
LEGS = {name: legs_in(folder) for name, folder in FOLDERS.items()}


def rows_of(legs: list[Leg], settings: FoldSettings | None = None) -> list[dict[str, Any]]:
    """Fold legs into rows in the form of `rows.json`."""
    found: list[dict[str, Any]] = []
    for call in calls_of(merge_all(legs).values()):
        columns = msgspec.to_builtins(fold(call, settings or FoldSettings(), SWITCH))
        columns["parts"] = [[part["direction"], part["number"], part["seconds"]] for part in columns["parts"] or []]
        left_out = ("switch", "doubts", "details", "trunk_root", "trunk_legs", "billed_elsewhere")
        found.append({name: value for name, value in columns.items() if name not in left_out})
    return sorted(found, key=lambda row: (row["start_ts"], row["call_id"]))


@given(name=st.sampled_from(sorted(FOLDERS)), data=st.data())
def test_a_case_gives_its_rows_in_any_order_and_with_duplicates(name: str, data: st.DataObject) -> None:
    legs = LEGS[name]
    heard = data.draw(st.permutations(legs + data.draw(st.lists(st.sampled_from(legs), max_size=4))))
    assert rows_of(heard) == [{"estimated": False, **row} for row in rows_in(FOLDERS[name])]


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_creations_and_ends_alone_give_the_rows(name: str) -> None:
    legs = [leg for leg in LEGS[name] if leg.create or leg.end]
    assert rows_of(legs) == [{"estimated": False, **row} for row in rows_in(FOLDERS[name])]


def test_a_number_with_parameters_is_owned_by_who_owns_the_number() -> None:
    settings = FoldSettings(number_owners={"442079460001": "acct_beta"})
    (row,) = rows_of(LEGS["user_part_parameters/in-rn"], settings)
    assert row["account_id"] == "acct_beta"
