"""The fold over every recording: the rows of `rows.json`, whatever the order, the duplicates and the splits."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import CALLS
from tests.recorded import NAMES, SWITCH, recorded_legs, recorded_rows
from tollbook.model.call_tree import calls_of
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, merge_all

LEGS = {name: recorded_legs(name) for name in NAMES}


def rows_of(legs: list[Leg], fold_settings: FoldSettings | None = None) -> list[dict[str, Any]]:
    """Fold legs into rows in the form of `rows.json`."""
    rows = [fold(call, fold_settings or FoldSettings(), SWITCH) for call in calls_of(merge_all(legs).values())]
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: row.key):
        columns = msgspec.to_builtins(row)
        columns["parts"] = [[part["direction"], part["number"], part["seconds"]] for part in columns["parts"] or []]
        left_out = ("switch", "estimated", "doubts", "details", "trunk_root", "trunk_legs", "billed_elsewhere")
        found.append({name: value for name, value in columns.items() if name not in left_out})
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_rows(name: str) -> None:
    assert rows_of(LEGS[name]) == recorded_rows(name)


@pytest.mark.parametrize("name", NAMES)
def test_creations_and_ends_alone_give_the_rows(name: str) -> None:
    """CHANNEL_ANSWER dates an answer while the call is up; no finished row depends on it."""
    assert rows_of([leg for leg in LEGS[name] if leg.create or leg.end]) == recorded_rows(name)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_any_order_and_any_duplicates_give_the_same_rows(name: str, data: st.DataObject) -> None:
    """The fold is commutative and idempotent."""
    legs = LEGS[name]
    again = data.draw(st.lists(st.sampled_from(legs), max_size=8)) if legs else []
    assert rows_of(data.draw(st.permutations(legs + again))) == recorded_rows(name)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_merging_is_associative(name: str, data: st.DataObject) -> None:
    """Any split into batches, each merged by itself first, leads to the same facts."""
    legs = data.draw(st.permutations(LEGS[name]))
    cut = data.draw(st.integers(0, len(legs)))
    halves = [*merge_all(legs[:cut]).values(), *merge_all(legs[cut:]).values()]
    assert merge_all(halves) == merge_all(LEGS[name])


@given(names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True), data=st.data())
def test_calls_do_not_touch_each_other(names: list[str], data: st.DataObject) -> None:
    legs = data.draw(st.permutations([leg for name in names for leg in LEGS[name]]))
    rows = [row for name in names for row in recorded_rows(name)]
    assert rows_of(legs) == sorted(rows, key=lambda row: (row["start_ts"], row["call_id"]))


@pytest.mark.parametrize("name", NAMES)
def test_no_row_is_complete_before_it_is_right(name: str) -> None:
    """In the order of the wire no reader and no archive ever catches a completed row that is not the final one."""
    final = recorded_rows(name)
    for heard in range(len(LEGS[name])):
        for row in rows_of(LEGS[name][: heard + 1]):
            assert row["end_ts"] is None or row in final, f"after {heard + 1} events"


@pytest.mark.parametrize("name", NAMES)
def test_an_open_row_says_nothing_that_only_the_end_decides(name: str) -> None:
    for heard in range(len(LEGS[name])):
        for row in rows_of(LEGS[name][: heard + 1]):
            if row["end_ts"] is None:
                decided = [row[column] for column in ("duration_sec", "billsec", "disposition", "hangup_cause")]
                assert decided == [None] * 4


# Without its CREATE a leg is known from its end alone, and two things are then no longer to be had: what mod_fifo
# presented as caller (its caller number was overwritten by the queue's name), and when `recover`ed legs began.
LOST_WITH_THE_CREATE = {"fifo_enterprise": {"from_num"}, "recover": {"start_ts", "duration_sec"}}


@pytest.mark.parametrize("name", NAMES)
def test_ends_alone_give_the_rows_except_what_only_the_creation_states(name: str) -> None:
    """All CREATEs missed: the same calls, parties, seconds and charges."""
    found, must = rows_of([leg for leg in LEGS[name] if leg.end]), recorded_rows(name)
    excused = LOST_WITH_THE_CREATE.get(name, set())
    assert [{k: v for k, v in row.items() if k not in excused} for row in found] == [
        {k: v for k, v in row.items() if k not in excused} for row in must
    ]


ONE_LEG = [
    name for name in NAMES if len(recorded_rows(name)) == 1 and len(list((CALLS / name).glob("json_cdr/*"))) == 1
]


@pytest.mark.parametrize("name", ONE_LEG)
def test_the_seconds_of_a_call_of_one_leg_are_the_switch_s_own(name: str) -> None:
    """They equal, to the digit, what FreeSWITCH itself wrote into its CDR."""
    (file,) = (CALLS / name).glob("json_cdr/*.json")
    variables = json.loads(file.read_text())["variables"]
    (row,) = rows_of(LEGS[name])
    assert (row["duration_sec"], row["billsec"]) == (int(variables["duration"]), int(variables["billsec"]))


@pytest.mark.parametrize(
    ("name", "from_trunk"),
    [
        ("inbound_to_1001", True),
        ("transfer_inbound_out", True),
        ("originate_to_carrier_ivr", True),
        ("outbound_answered", False),
        ("internal_to_1001", False),
    ],
)
def test_a_root_of_a_carrier_is_known_as_such(name: str, from_trunk: bool) -> None:
    """Its address and Call-ID are the carrier's, also where the switch dialled it first and the call is outbound."""
    (call,) = calls_of(merge_all(LEGS[name]).values())
    assert fold(call, FoldSettings(), SWITCH).trunk_root is from_trunk
