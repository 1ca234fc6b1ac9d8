"""What is noted about a leg: bounded, merged in any order, and no leg by itself."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import SECOND_US, START_US, created, ended, legs_of
from tests.folded import rows
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import Leg, end_as_lost, leg_of, merge_all
from tollbook.model.notes import MOST_PATHS, MOST_TIMES, Notes

times = st.lists(st.integers(START_US, START_US + 200), max_size=MOST_TIMES).map(lambda us: tuple(sorted(set(us))))
notes = st.builds(
    Notes,
    joined_us=times,
    in_queue=st.none() | st.tuples(st.integers(START_US, START_US + 9), st.sampled_from(["sales", "support"])),
    bridged_us=times,
    left_us=times,
    recordings=st.lists(st.text("abc", max_size=4), max_size=MOST_PATHS).map(lambda paths: tuple(sorted(set(paths)))),
    voicemail=st.booleans(),
)


def custom(subclass: str = "", *, at_s: float = 10, name: str = "CUSTOM", **facts: str) -> SwitchEvent:
    """An event about the leg `a`, which says nothing of the leg but its id and its creation."""
    return SwitchEvent(
        name=name, uid="a", created_us=START_US, at_us=START_US + round(at_s * SECOND_US), subclass=subclass, **facts
    )


def recording(path: str, **facts: str) -> SwitchEvent:
    return custom(name="RECORD_STOP", record_path=path, record_completion="success-silence", **facts)


def noted(event: SwitchEvent) -> Notes | None:
    leg = leg_of(event, "fs1")
    return leg.noted if leg is not None else None


def all_merged(parts: Sequence[Notes]) -> Notes:
    merged = Notes()
    for part in parts:
        merged = merged.merged(part)
    return merged


@given(parts=st.lists(notes, min_size=1, max_size=5), data=st.data())
def test_notes_merge_in_any_order_and_however_often(parts: list[Notes], data: st.DataObject) -> None:
    merged = all_merged(parts)
    again = data.draw(st.permutations([*parts, *data.draw(st.lists(st.sampled_from(parts), max_size=3))]))
    assert all_merged(again) == merged
    assert all_merged([all_merged(again[:2]), all_merged(again[2:])]) == merged
    assert merged.merged(merged) == merged
    for times_us in (merged.joined_us, merged.bridged_us, merged.left_us):
        assert len(times_us) <= MOST_TIMES
    assert len(merged.recordings) <= MOST_PATHS


def test_of_too_many_the_latest_times_and_the_smallest_paths_are_kept() -> None:
    merged = all_merged([Notes(joined_us=(START_US + n,), recordings=(f"/{n:03}.wav",)) for n in range(200)])
    assert merged.in_queue is None
    visits = [Notes(joined_us=(START_US + n,), in_queue=(START_US + n, f"queue{n}")) for n in range(3)]
    assert all_merged(visits).in_queue == (START_US + 2, "queue2")
    assert merged.joined_us == tuple(START_US + n for n in range(200 - MOST_TIMES, 200))
    assert merged.recordings == tuple(f"/{n:03}.wav" for n in range(MOST_PATHS))


@pytest.mark.parametrize(
    ("event", "stated"),
    [
        (custom("callcenter::info", cc_action="member-queue-start"), Notes(joined_us=(START_US + 10 * SECOND_US,))),
        (
            custom("callcenter::info", cc_action="member-queue-start", queue="sales@default"),
            Notes(joined_us=(START_US + 10 * SECOND_US,), in_queue=(START_US + 10 * SECOND_US, "sales@default")),
        ),
        (custom("callcenter::info", cc_action="bridge-agent-start"), Notes(bridged_us=(START_US + 10 * SECOND_US,))),
        (custom("callcenter::info", cc_action="member-queue-end"), Notes(left_us=(START_US + 10 * SECOND_US,))),
        (custom("vm::maintenance", vm_action="leave-message"), Notes(voicemail=True)),
        (recording("/r/a.wav"), Notes(recordings=("/r/a.wav",))),
        (recording("/r/a.wav", application="voicemail"), Notes(recordings=("/r/a.wav",))),
    ],
)
def test_an_event_notes_what_it_says(event: SwitchEvent, stated: Notes) -> None:
    assert noted(event) == stated


@pytest.mark.parametrize(
    "event",
    [
        custom("callcenter::info", cc_action="agent-state-change"),
        custom("callcenter::info", cc_action="bridge-agent-end"),
        custom("vm::maintenance", vm_action="mwi-update"),
        custom("conference::maintenance", vm_action="leave-message", cc_action="member-queue-start"),
        custom("", vm_action="leave-message"),
        recording(""),
        # A voicemail message: no Record-Completion-Cause.
        msgspec.structs.replace(recording("/m.wav", application="voicemail"), record_completion=""),
        msgspec.structs.replace(custom("callcenter::info", cc_action="member-queue-start"), at_us=0),
        msgspec.structs.replace(recording("/r/a.wav"), uid=""),
        msgspec.structs.replace(recording("/r/a.wav"), created_us=0),
    ],
)
def test_an_event_that_is_about_something_else_makes_no_leg(event: SwitchEvent) -> None:
    assert leg_of(event, "fs1") is None


def test_what_is_noted_moves_no_end_of_a_lost_leg() -> None:
    """A recording is written, and a queue left, after the hangup: neither is a sign of life."""
    begun = created("a")
    (leg,) = merge_all(legs_of(begun, recording("/r/a.wav"))).values()
    end = end_as_lost(leg, 0).end
    assert end is not None
    assert end.hangup_us == START_US
    assert leg.core == "core"


def test_what_is_noted_before_the_creation_belongs_to_the_leg() -> None:
    begun = created("a")
    events = [recording("/r/a.wav"), begun, ended(begun, answered_s=1, hangup_s=60)]
    (row,) = rows(*events)
    assert row.details.recordings == ("/r/a.wav",)
    assert rows(*reversed(events)) == [row]
    assert rows(events[0]) == []


def test_a_leg_that_an_older_version_stored_is_read() -> None:
    """Without notes and details, which it had not yet: nothing is stated of them."""
    begun = created("a")
    (leg,) = merge_all(legs_of(begun, ended(begun, answered_s=1, hangup_s=60))).values()
    stored = msgspec.to_builtins(leg)
    assert "noted" not in stored
    del stored["end"]["details"]
    read = msgspec.convert(stored, Leg)
    assert read.noted is None
    assert read.end is not None
    assert read.end.details is None
