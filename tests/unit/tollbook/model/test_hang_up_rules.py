"""The rules of who hung up where no recording shows them: estimates, loopbacks, other modules, other calls' legs."""

import pytest

from tests.factories import SECOND_US, START_US, created, legs_of
from tests.recorded_details import rows_of
from tests.unit.tollbook.model.made_calls import desk, details, ended_as
from tollbook.model.event import SwitchEvent
from tollbook.model.leg import end_as_lost, merge_all


@pytest.mark.parametrize(
    ("after_s", "by"), [(-0.41, "switch"), (-0.4, "callee"), (0.0, "callee"), (0.02, "callee"), (0.03, "switch")]
)
def test_a_callee_ends_the_call_from_400_ms_before_to_20_ms_after_the_root(after_s: float, by: str) -> None:
    called = ended_as(desk(), "recv_bye", hangup_s=60 + after_s)
    assert details(*ended_as(created(), "send_bye", hangup_s=60), *called).hung_up_by == by


@pytest.mark.parametrize(("after_s", "by"), [(0.5, "switch"), (0.52, "callee")])
def test_a_caller_left_when_the_called_leg_lasts_for_more_than_500_ms(after_s: float, by: str) -> None:
    called = ended_as(desk(), "recv_bye", hangup_s=60 + after_s)
    assert details(*ended_as(created(), "send_bye", hangup_s=60), *called).hung_up_by == by


def test_after_the_caller_left_the_legs_that_end_together_say_who_hung_up() -> None:
    """The caller transferred B to C. C hangs up; B's leg is taken down with it, 300 ms later or earlier."""
    root = ended_as(created(), "recv_bye", hangup_s=10)
    for other_s in (60.3, 59.7):
        b = ended_as(desk(), "send_bye", hangup_s=other_s)
        assert details(*root, *b, *ended_as(desk("c"), "recv_bye", hangup_s=60)).hung_up_by == "callee"
        assert details(*root, *b, *ended_as(desk("c"), "send_bye", hangup_s=60)).hung_up_by == "switch"
    early = ended_as(desk("c"), "recv_bye", hangup_s=59.5)
    assert details(*root, *ended_as(desk(), "send_bye", hangup_s=60), *early).hung_up_by == "switch"


@pytest.mark.parametrize(("root_ended", "by"), [("recv_bye", "caller"), ("send_bye", None)])
@pytest.mark.parametrize("lost_at_s", [30, 60, 61])
def test_a_callee_whose_end_is_an_estimate_ends_nothing(root_ended: str, by: str | None, lost_at_s: float) -> None:
    """Its hangup was not heard: what the caller's leg says of the caller stays, and nothing says who else it was."""
    called = desk()
    answer = SwitchEvent(
        name="CHANNEL_ANSWER", uid="b", created_us=called.created_us, at_us=START_US + SECOND_US,
        answered_us=START_US + SECOND_US,
    )  # fmt: skip
    (up,) = merge_all(legs_of(called, answer)).values()
    lost = end_as_lost(up, START_US + round(lost_at_s * SECOND_US))
    (row,) = rows_of([*legs_of(*ended_as(created(), root_ended, hangup_s=60)), lost])
    assert row.details.hung_up_by == by


def test_a_loopback_in_between_hides_nobody() -> None:
    """Its channels say nothing; whoever is behind them does."""
    loop = desk("loop", channel="loopback/9003-a")
    root = ended_as(created(), "send_bye", hangup_s=60)
    between = ended_as(loop, "", hangup_s=60)
    behind = desk("far", parent="loop")
    assert details(*root, *between, *ended_as(behind, "recv_bye", hangup_s=60)).hung_up_by == "callee"
    assert details(*root, *between, *ended_as(behind, "send_bye", hangup_s=60)).hung_up_by == "switch"


@pytest.mark.parametrize(("ended_by", "by"), [("send_bye", None), ("recv_bye", "callee")])
def test_of_a_caller_on_verto_only_the_callee_can_say(ended_by: str, by: str | None) -> None:
    root = ended_as(created(channel="verto.rtc/1000"), "", hangup_s=60)
    assert details(*root, *ended_as(desk(), ended_by, hangup_s=60)).hung_up_by == by


@pytest.mark.parametrize(("ended_by", "by"), [("send_bye", None), ("recv_bye", "caller")])
def test_of_a_callee_on_verto_only_the_caller_can_say(ended_by: str, by: str | None) -> None:
    called = ended_as(desk(channel="verto.rtc/1001"), "", hangup_s=60)
    assert details(*ended_as(created(), ended_by, hangup_s=60), *called).hung_up_by == by


def test_a_verto_phone_that_outlives_its_caller_says_nothing() -> None:
    root = ended_as(created(), "send_bye", hangup_s=10)
    verto = ended_as(desk(channel="verto.rtc/1001"), "", hangup_s=60)
    assert details(*root, *verto).hung_up_by is None


@pytest.mark.parametrize(("theirs", "by"), [("a", "callee"), ("x", "switch")])
def test_a_leg_of_another_call_counts_only_if_each_names_the_other(theirs: str, by: str) -> None:
    """An attended transfer: the root `a` ends up with the leg `c` of the call that the agent made for it."""
    root = ended_as(created(), "send_bye", hangup_s=60, last_bridge_to="c")
    consulting = ended_as(created("b"), "send_bye", hangup_s=20)
    consulted = ended_as(desk("c", parent="b"), "recv_bye", hangup_s=60, last_bridge_to=theirs)
    found = {row.call_id: row.details.hung_up_by for row in rows_of(legs_of(*root, *consulting, *consulted))}
    assert found == {"a": by, "b": "callee"}


def test_of_the_lives_of_an_id_the_newest_that_names_the_root_was_bridged_with_it() -> None:
    """A later life of the id, which talked with somebody else before the root ended, says nothing of the root."""
    root = ended_as(created(), "send_bye", hangup_s=60, last_bridge_to="c")
    consulted = ended_as(created("c", at_s=11), "recv_bye", hangup_s=60, last_bridge_to="a")
    again = ended_as(created("c", at_s=59.9), "recv_bye", hangup_s=60, last_bridge_to="x")
    for events in ([*root, *consulted, *again], [*again, *consulted, *root]):
        found = [row.details.hung_up_by for row in rows_of(legs_of(*events)) if row.call_id == "a"]
        assert found == ["callee"]


@pytest.mark.parametrize(("b_ended", "c_ended"), [("send_bye", "recv_bye"), ("recv_bye", "send_bye")])
def test_whoever_talks_on_after_the_caller_transferred_them_is_a_callee_of_both_calls(
    b_ended: str, c_ended: str
) -> None:
    """The caller `a` talked with `b`, consulted `c` by a call of its own, `a2`, connected the two and left."""
    first = ended_as(created(), "recv_bye", hangup_s=20)
    b = ended_as(desk(), b_ended, hangup_s=60, last_bridge_to="c")
    second = ended_as(created("a2"), "recv_bye", hangup_s=20)
    c = ended_as(desk("c", parent="a2"), c_ended, hangup_s=60.01, last_bridge_to="b")
    found = {row.call_id: row.details.hung_up_by for row in rows_of(legs_of(*first, *b, *second, *c))}
    assert found == {"a": "callee", "a2": "callee"}
