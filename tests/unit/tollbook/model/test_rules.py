"""Rules of docs/calls.md that no recording reaches: who pays, what became of a call, and hostile values."""

import dataclasses
from typing import Any

import pytest

from tests.factories import SECOND_US, START_MS, START_US, created, ended
from tests.folded import rows, trunk
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import leg_of
from tollbook.model.numbers import owner_key
from tollbook.model.trunks import TrunkRules

# -- who pays


def test_the_account_is_the_root_s_then_the_number_s_then_the_answering_child_s() -> None:
    root = created("root", dialed="8005550100")
    lost_first = created("c1", at_s=1, channel_direction="outbound", originator="root")
    answering = created("c2", at_s=2, channel_direction="outbound", originator="root")
    tail = [
        ended(lost_first, hangup_s=9, account="first"),
        ended(answering, answered_s=3, hangup_s=9, account="answering"),
    ]
    owner = FoldSettings(number_owners={"8005550100": "owner"})
    before = [root, lost_first, answering, *tail]
    assert rows(*before, ended(root, answered_s=3, hangup_s=9, account="root"), settings=owner)[0].account_id == "root"
    assert rows(*before, ended(root, answered_s=3, hangup_s=9), settings=owner)[0].account_id == "owner"
    assert rows(*before, ended(root, answered_s=3, hangup_s=9))[0].account_id == "answering"
    assert rows(root, lost_first, tail[0], ended(root, hangup_s=9))[0].account_id == "first"
    assert rows(root, ended(root, hangup_s=9))[0].account_id is None


@pytest.mark.parametrize("dialled", ["+498005550100", "498005550100", "+49 (800) 555-0100"])
def test_an_owned_number_is_found_however_it_is_written(dialled: str) -> None:
    owner = FoldSettings(number_owners={owner_key("+49 800 555 0100"): "owner"})
    assert rows(created("root", dialed=dialled), settings=owner)[0].account_id == "owner"


def test_what_an_end_lacks_is_taken_from_the_creation() -> None:
    root = created("root", account="acct", call_direction="outbound")
    (row,) = rows(root, ended(root, answered_s=1, hangup_s=2, account="", call_direction=""))
    assert (row.account_id, row.direction) == ("acct", "outbound")


# -- disposition


@pytest.mark.parametrize(
    ("facts", "disposition"),
    [
        ({"cause": "ORIGINATOR_CANCEL", "originate_disposition": "USER_BUSY"}, "cancelled"),
        ({"originate_disposition": "USER_BUSY"}, "busy"),
        ({"originate_disposition": "failure", "last_bridge_cause": "CALL_REJECTED"}, "rejected"),
        ({"originate_disposition": "SUCCESS", "cause": "NORMAL_CLEARING"}, "no_answer"),
        ({"originate_disposition": "ORIGINATOR_CANCEL"}, "no_answer"),
        ({"cause": "RECOVERY_ON_TIMER_EXPIRE"}, "failed"),
        ({"cause": "RECOVERY_ON_TIMER_EXPIRE", "progress_us": START_US + SECOND_US}, "no_answer"),
        ({"cause": "UNWANTED"}, "rejected"),
        ({"cause": "SOMETHING_NEW"}, "failed"),
        ({"cause": ""}, "failed"),
    ],
)
def test_the_disposition_of_an_unanswered_call(facts: dict[str, Any], disposition: str) -> None:
    root = created("root", user="1000")
    assert rows(root, ended(root, hangup_s=3, **facts))[0].disposition == disposition


def test_a_queue_that_nobody_served_is_abandoned_and_a_loopback_serves_nobody() -> None:
    root = created("root", user="1000")
    queued = ended(root, answered_s=1, hangup_s=9, cc_queue="support@default", cc_side="member")
    loopback = created("l", at_s=2, channel_direction="outbound", channel="loopback/app-a", originator="root")
    (row,) = rows(root, queued, loopback, ended(loopback, answered_s=2, hangup_s=9))
    assert (row.queue_id, row.disposition) == ("support@default", "abandoned")


# -- a clock that is set back


@pytest.mark.parametrize(
    ("answered_s", "hangup_s", "estimated"),
    [(5, 9, False), (0, 0, False), (None, 9, False), (-3, 9, True), (5, 3, True), (5, -3, True), (None, -3, True)],
)
def test_a_clock_that_was_set_back_marks_the_row(answered_s: float | None, hangup_s: float, estimated: bool) -> None:
    """The times stay as the switch states them, and no seconds are below 0."""
    root = created("root", user="1000")
    (row,) = rows(root, ended(root, answered_s=answered_s, hangup_s=hangup_s))
    assert (row.estimated, row.disposition == "lost") == (estimated, False)
    assert row.end_ts == START_MS + hangup_s * 1000
    assert min(row.duration_sec or 0, row.billsec or 0, *(part.seconds for part in row.parts or ())) >= 0


@pytest.mark.parametrize(("answered_s", "estimated"), [(None, False), (5, True)])
def test_a_clock_counts_of_legs_that_were_answered(answered_s: float | None, estimated: bool) -> None:
    root, child = created("root", user="1000"), trunk("child", "root", at_s=1)
    ends = [ended(child, answered_s=answered_s, hangup_s=0.5), ended(root, answered_s=6, hangup_s=9)]
    assert rows(root, child, *ends)[0].estimated == estimated


def test_a_recovered_leg_began_no_later_than_its_answer() -> None:
    """Its first creation was not heard. The later one is after its answer, and no clock was set."""
    root = created("root", user="1000", at_s=60, recovered="true")
    (row,) = rows(root, ended(root, answered_s=5, hangup_s=90))
    assert (row.start_ts, row.duration_sec, row.billsec, row.estimated) == (START_MS + 5000, 85, 85, False)


# -- hostile values


def test_no_duration_is_below_zero_even_when_the_clock_steps_back() -> None:
    root = created("root", user="1000")
    (row,) = rows(root, ended(root, answered_s=5, hangup_s=-3))
    assert (row.duration_sec, row.billsec) == (0, 0)


@pytest.mark.parametrize("us", [0, -1, 1, 946_684_799_999_999, 4_102_444_800_000_000, 10**18])
def test_an_event_with_an_absurd_clock_makes_no_leg(us: int) -> None:
    assert leg_of(SwitchEvent(name="CHANNEL_CREATE", uid="x", created_us=us), "fs1") is None


@pytest.mark.parametrize("uid", ["", "x" * 257, "é" * 129])
def test_an_event_without_a_usable_id_makes_no_leg(uid: str) -> None:
    assert leg_of(SwitchEvent(name="CHANNEL_CREATE", uid=uid, created_us=START_US), "fs1") is None


def test_an_end_without_a_hangup_time_is_at_the_time_of_its_event() -> None:
    root = created("root", user="1000")
    (row,) = rows(root, ended(root, hangup_s=4, hangup_us=0))
    assert row.duration_sec == 4


def test_the_operator_s_lists_are_values() -> None:
    """Frozen: a listener that shares them between switches cannot change them for another."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrunkRules().trunks = frozenset()
