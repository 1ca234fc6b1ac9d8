"""Which legs come too late: those of a call that lost legs, and of no other."""

import pytest

from tollbook.model.call_key import CallKey
from tollbook.model.late_legs import find_frozen_legs
from tollbook.model.leg import Facts, Leg
from tollbook.model.parent import Parent

KEPT = 10_000_000  # legs before this moment are pruned


def leg(uid: str, created_us: int, *, parent: str = "", ended: bool = True) -> Leg:
    facts = Facts(parent=Parent(uid=parent, named_by="cdr_parent") if parent else None)
    return Leg(switch="s", uid=uid, created_us=created_us, create=facts, end=facts if ended else None)


OLD, YOUNG = leg("a", 5_000_000), leg("a", 20_000_000)
OLD_ROW, YOUNG_ROW = CallKey(5000, "a", "s"), CallKey(20_000, "a", "s")
CHILD = leg("b", 21_000_000, parent="a")
EARLY = leg("b", 6_000_000, parent="a")


@pytest.mark.parametrize(
    ("legs", "stored", "rows", "late"),
    [
        pytest.param([YOUNG], {}, set(), set(), id="a young call"),
        pytest.param([OLD], {}, set(), {OLD.key}, id="an old call of which nothing is stored"),
        pytest.param([OLD], {OLD.key: OLD_ROW}, {OLD_ROW}, set(), id="an old call that is late and whole"),
        pytest.param([OLD, CHILD], {OLD.key: OLD_ROW}, {OLD_ROW}, set(), id="a new leg of one"),
        pytest.param([OLD], {OLD.key: OLD_ROW}, set(), {OLD.key}, id="an old call whose row is gone"),
        pytest.param(
            [CHILD, leg("c", 22_000_000, parent="b")], {CHILD.key: OLD_ROW}, set(),
            {CHILD.key, ("s", "c", 22_000_000)}, id="an old call of which a young leg is left",
        ),
        pytest.param([YOUNG, CHILD], {YOUNG.key: YOUNG_ROW}, set(), set(), id="a young call whose row is gone"),
        pytest.param([leg("a", 5_000_000, ended=False)], {}, set(), set(), id="an old call, up, never heard of"),
        pytest.param([leg("b", 6_000_000, parent="a")], {}, set(), {("s", "b", 6_000_000)}, id="a child alone"),
        pytest.param([leg("a", KEPT)], {}, set(), set(), id="a call of the first moment that is kept"),
        pytest.param(
            [leg("a", KEPT)], {("s", "a", KEPT): CallKey(KEPT // 1000, "a", "s")}, set(), set(),
            id="a call of the first moment that is kept, whose row is gone",
        ),
        pytest.param([leg("a", KEPT - 1)], {}, set(), {("s", "a", KEPT - 1)}, id="one of the moment before"),
        pytest.param(
            [YOUNG, EARLY], {YOUNG.key: YOUNG_ROW}, {YOUNG_ROW}, {EARLY.key},
            id="a child from before the retention, whose parent's id was used again",
        ),
        pytest.param(
            [YOUNG, EARLY], {YOUNG.key: YOUNG_ROW, EARLY.key: YOUNG_ROW}, {YOUNG_ROW}, set(),
            id="a child of a clock that was set back that far, heard while it was up",
        ),
        pytest.param(
            [YOUNG, leg("b", 6_000_000, parent="a", ended=False)], {YOUNG.key: YOUNG_ROW}, {YOUNG_ROW}, set(),
            id="one that is up",
        ),
        pytest.param(
            [YOUNG, leg("b", KEPT, parent="a")], {YOUNG.key: YOUNG_ROW}, {YOUNG_ROW}, set(),
            id="a child of a clock that was set back, of the first moment that is kept",
        ),
        pytest.param([OLD, leg("x", 30_000_000)], {}, set(), {OLD.key}, id="the others are not touched"),
    ],
)  # fmt: skip
def test_a_leg_is_late_when_its_call_lost_legs(
    legs: list[Leg], stored: dict[tuple[str, str, int], CallKey], rows: set[CallKey],
    late: set[tuple[str, str, int]],
) -> None:  # fmt: skip
    assert find_frozen_legs(legs, stored, rows, KEPT) == late


@pytest.mark.parametrize(
    ("legs", "rows", "late"),
    [
        pytest.param([YOUNG], set(), set(), id="a call that the archive did not have"),
        pytest.param([YOUNG], {YOUNG_ROW}, {YOUNG.key}, id="one whose row was restored from it"),
        pytest.param([leg("a", 20_000_000, ended=False)], {YOUNG_ROW}, set(), id="one that is up"),
        pytest.param([CHILD], set(), {CHILD.key}, id="a child alone, whose call nobody can name"),
        pytest.param([leg("b", 30_000_000, parent="a")], set(), set(), id="one that began later"),
        pytest.param([leg("a", 30_000_000)], {CallKey(30_000, "a", "s")}, set(), id="a row that began later"),
        pytest.param(
            [leg("a", 30_000_000), leg("b", 29_000_000, parent="a")],
            set(),
            {("s", "b", 29_000_000)},
            id="a child from before an attached archive, whose parent's id was used again",
        ),
    ],
)
def test_rows_of_an_attached_archive_have_lost_their_legs(
    legs: list[Leg], rows: set[CallKey], late: set[tuple[str, str, int]]
) -> None:
    assert find_frozen_legs(legs, {}, rows, KEPT, 30_000_000) == late
