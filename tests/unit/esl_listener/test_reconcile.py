"""Which legs are gone, decided from one comparison after another."""

import pytest

from esl_listener.channels import ChannelComparison
from esl_listener.reconcile import DENIED_TWICE_AFTER_S, ChannelReconciler, GoneLeg
from tollbook.model.leg import ESTIMATED, Facts, Leg
from tollbook.store.calls.switch_processes import OpenLeg

T0 = 1_795_434_000_000_000
SECOND = 1_000_000


def open_leg(uid: str = "a", core: str = "now") -> OpenLeg:
    """A leg last heard of after 5 s, of a process that last beat after 100 s."""
    leg = Leg(switch="fs", uid=uid, created_us=T0, seen_us=T0 + 5 * SECOND, core=core, create=Facts(dialed="1"))
    return OpenLeg(leg=leg, seen_us=T0 + 100 * SECOND)


def close_gone(
    reconciler: ChannelReconciler,
    now_s: float,
    *,
    alive: tuple[OpenLeg, ...] = (),
    denied: tuple[OpenLeg, ...] = (),
    replaced: tuple[OpenLeg, ...] = (),
    core: str = "now",
) -> list[GoneLeg]:
    found = ChannelComparison(new_legs=(), alive=alive, denied=denied, replaced=replaced)
    return reconciler.close_gone(found, core=core, now_s=now_s, switch_us=T0 + int(now_s * SECOND))


def ends(gone: list[GoneLeg]) -> dict[str, int]:
    """Seconds after T0 at which legs end; all of them by estimate."""
    legs = [gone_leg.leg for gone_leg in gone]
    assert all(leg.end and leg.end.source == ESTIMATED for leg in legs)
    return {leg.uid: (leg.end.hangup_us - T0) // SECOND for leg in legs if leg.end}


@pytest.mark.parametrize("core", ["now", ""])
def test_one_denial_proves_nothing_and_the_second_a_minute_later_does(core: str) -> None:
    reconciler = ChannelReconciler()
    assert close_gone(reconciler, 10, denied=(open_leg(),), core=core) == []
    assert reconciler.has_denied
    assert close_gone(reconciler, 10 + DENIED_TWICE_AFTER_S - 1, denied=(open_leg(),), core=core) == []
    gone = close_gone(reconciler, 10 + DENIED_TWICE_AFTER_S, denied=(open_leg(),), core=core)
    assert ends(gone) == {"a": 5}
    assert gone[0].reason == "a leg is gone without an end"
    assert not reconciler.has_denied


def test_a_leg_that_is_there_again_begins_anew() -> None:
    reconciler = ChannelReconciler()
    close_gone(reconciler, 0, denied=(open_leg(),))
    close_gone(reconciler, 30, alive=(open_leg(),))
    assert close_gone(reconciler, 70, denied=(open_leg(),)) == []
    assert ends(close_gone(reconciler, 130, denied=(open_leg(),))) == {"a": 30}


def test_the_last_comparison_that_confirmed_a_leg_is_its_last_sign_of_life() -> None:
    """A long call whose hangup was dropped ends where it was last seen, not where it last spoke."""
    reconciler = ChannelReconciler()
    for now_s in (300, 600):
        close_gone(reconciler, now_s, alive=(open_leg(),))
    close_gone(reconciler, 900, denied=(open_leg(),))
    close_gone(reconciler, 930, denied=(open_leg(),))
    assert ends(close_gone(reconciler, 960, denied=(open_leg(),))) == {"a": 600}


def test_a_leg_of_a_process_that_is_gone_ends_at_once_where_that_was_last_heard() -> None:
    gone = close_gone(ChannelReconciler(), 1000, denied=(open_leg(core="before"),))
    assert ends(gone) == {"a": 100}
    assert gone[0].reason == "the switch restarted, a leg is lost"


def test_a_leg_whose_id_is_another_s_ends_at_once() -> None:
    reconciler = ChannelReconciler()
    close_gone(reconciler, 50, alive=(open_leg(),))
    assert ends(close_gone(reconciler, 350, replaced=(open_leg(),))) == {"a": 50}
    assert ends(close_gone(reconciler, 360, replaced=(open_leg(core="before"),))) == {"a": 100}


def test_nothing_is_remembered_of_legs_that_are_held_no_longer() -> None:
    reconciler = ChannelReconciler()
    close_gone(reconciler, 0, alive=(open_leg("x"),), denied=(open_leg("y"),))
    close_gone(reconciler, 10)
    assert not reconciler.has_denied
    assert reconciler._alive_us == {}


def test_a_clock_that_is_none_moves_no_end() -> None:
    reconciler = ChannelReconciler()
    close_gone(reconciler, 9e12, alive=(open_leg(),))
    assert ends(close_gone(reconciler, 9e12 + 1, replaced=(open_leg(),))) == {"a": 5}
