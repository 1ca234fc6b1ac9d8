"""The rules of ringing, holds, recordings and voicemail where no recording of a call shows them."""

import pytest

from tests.factories import SECOND_US, START_US, created, ended, legs_of
from tests.folded import trunk
from tests.recorded_details import rows_of
from tests.unit.tollbook.model.made_calls import desk, details
from tests.unit.tollbook.model.test_notes import custom, recording
from tollbook.model.details import Details
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import end_as_lost, merge_all
from tollbook.model.rules.details.holding import holds_in
from tollbook.model.rules.details.recordings import MOST_RECORDINGS


def test_a_fork_rings_from_its_first_phone_on() -> None:
    root = created()
    first = ended(desk("b"), hangup_s=20, progress_us=START_US + 3 * SECOND_US)
    second = ended(desk("c"), answered_s=9, hangup_s=60, progress_us=START_US + 2 * SECOND_US)
    found = details(root, ended(root, answered_s=9, hangup_s=60), desk("b"), first, desk("c"), second)
    assert (found.pdd_ms, found.ring_ms) == (2000, 7000)


def test_early_media_before_ringing_is_the_first_sign_of_life() -> None:
    root, far = created(), trunk("b", "a")
    times = {"progress_us": START_US + 3 * SECOND_US, "progress_media_us": START_US + 2 * SECOND_US}
    found = details(root, ended(root, answered_s=9, hangup_s=60), far, ended(far, answered_s=9, hangup_s=60, **times))
    assert (found.pdd_ms, found.ring_ms) == (2000, 7000)


def test_a_clock_that_was_set_back_makes_no_delay() -> None:
    root, far = created(), trunk("b", "a", at_s=-3600)
    times = {"progress_us": START_US - 3590 * SECOND_US}
    found = details(root, ended(root, hangup_s=60), far, ended(far, hangup_s=60, **times))
    assert (found.pdd_ms, found.ring_ms) == (None, None)


def test_a_loopback_that_rings_is_nobody_who_was_called() -> None:
    root, loop = created(), desk("loop", channel="loopback/9003-a")
    behind = desk("far", parent="loop")
    between = ended(loop, answered_s=2, hangup_s=60, progress_us=START_US + SECOND_US)
    far = ended(behind, answered_s=9, hangup_s=60, progress_us=START_US + 4 * SECOND_US)
    assert details(root, ended(root, answered_s=9, hangup_s=60), loop, between, behind, far).pdd_ms == 4000


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("{{7,9}}", [(7, 9)]),
        ("{{7,9},{3,5}}", [(7, 9), (3, 5)]),
        ("{{7,0}}", [(7, 99)]),
        ("{{7,}}", [(7, 99)]),
        ("{}", []),
        ("", None),
        ("{{7,9}", None),
        ("{{7,9},…{3,5}}", None),
        ("{{-7,9}}", None),
        ("{{" + "9" * 17 + ",1}}", None),
    ],
)
def test_holds_are_read_as_the_switch_writes_them(text: str, holds: list[tuple[int, int]] | None) -> None:
    assert holds_in(text, 0, 99) == holds


def on_hold(*times_s: tuple[float, float]) -> str:
    """Holds as the switch writes them, from seconds after START_US."""
    us = [[START_US + round(at_s * SECOND_US) for at_s in hold] for hold in times_s]
    return "{" + ",".join(f"{{{on},{off}}}" for on, off in us) + "}"


def test_two_who_hold_at_a_time_count_once() -> None:
    root, called = created(), desk()
    end = ended(root, answered_s=1, hangup_s=60, hold_events=on_hold((10, 20)))
    far = ended(called, answered_s=1, hangup_s=60, hold_events=on_hold((30, 35), (15, 25)))
    assert details(root, end, called, far).hold_ms == 20_000


def test_a_hold_is_never_outside_its_legs_life() -> None:
    root = created()
    for holds in ("{{1,9999999999999999}}", on_hold((-5, 70))):
        assert details(root, ended(root, answered_s=1, hangup_s=60, hold_events=holds)).hold_ms == 60_000


def test_a_hold_that_ends_before_it_begins_is_none() -> None:
    root = created()
    assert details(root, ended(root, answered_s=1, hangup_s=60, hold_events="{{9000000,1000000}}")).hold_ms == 0


def test_the_first_recordings_by_name_are_kept() -> None:
    phones = [desk(f"leg-{number}") for number in range(5)]
    root = created()
    files = [
        SwitchEvent(
            name="RECORD_STOP", uid=phone.uid, created_us=phone.created_us, record_path=f"/{phone.uid}/{number:02}.wav"
        )
        for phone in phones
        for number in range(30)
    ]
    kept = details(root, ended(root, hangup_s=60), *[ended(phone, hangup_s=50) for phone in phones], *files).recordings
    assert kept == tuple(sorted(event.record_path for event in files)[:MOST_RECORDINGS])


def test_a_message_is_noted_on_any_leg() -> None:
    root = created(uid="root")
    below = created("a", originator="root", channel_direction="outbound")
    left = custom("vm::maintenance", vm_action="leave-message")
    call = [root, ended(root, hangup_s=60), below, ended(below, hangup_s=50)]
    assert details(*call).voicemail is False
    assert details(*call, left).voicemail is True


def test_nothing_is_guessed_of_a_call_that_was_lost() -> None:
    (leg,) = merge_all(legs_of(created(sip_call_id="x@y", vars=(("tenant", "red"),)))).values()
    (row,) = rows_of([end_as_lost(leg, START_US + 60 * SECOND_US)])
    assert row.details == Details(sip_call_id="x@y", vars={"tenant": "red"})


def test_a_recording_alone_says_nothing_else() -> None:
    root = created()
    found = details(root, ended(root, hangup_s=60), recording("/r/a.wav"))
    assert found == Details(hold_ms=None, recordings=("/r/a.wav",), voicemail=False)
