"""Which legs are gone, as one look after another tells."""

import pytest

from esl_listener.channels import Seen
from esl_listener.reconcile import DENIED_TWICE_AFTER_S, Denials, Gone
from tollbook.model.leg import ESTIMATED, Facts, Leg
from tollbook.store.calls.switch_processes import Held

T0 = 1_795_434_000_000_000
SECOND = 1_000_000


def held(uid: str = "a", core: str = "now") -> Held:
    """A leg last heard of after 5 s, of a process that last beat after 100 s."""
    leg = Leg(switch="fs", uid=uid, created_us=T0, seen_us=T0 + 5 * SECOND, core=core, create=Facts(dialed="1"))
    return Held(leg=leg, seen_us=T0 + 100 * SECOND)


def judge(
    denials: Denials,
    now_s: float,
    *,
    alive: tuple[Held, ...] = (),
    denied: tuple[Held, ...] = (),
    replaced: tuple[Held, ...] = (),
    core: str = "now",
) -> list[Gone]:
    seen = Seen(legs=(), alive=alive, denied=denied, replaced=replaced)
    return denials.judge(seen, core=core, now_s=now_s, switch_us=T0 + int(now_s * SECOND))


def ends(gone: list[Gone]) -> dict[str, int]:
    """Seconds after T0 at which legs end; all of them by estimate."""
    assert all(one.leg.end and one.leg.end.source == ESTIMATED for one in gone)
    return {one.leg.uid: (one.leg.end.hangup_us - T0) // SECOND for one in gone if one.leg.end}


@pytest.mark.parametrize("core", ["now", ""])
def test_one_denial_proves_nothing_and_the_second_a_minute_later_does(core: str) -> None:
    denials = Denials()
    assert judge(denials, 10, denied=(held(),), core=core) == []
    assert denials.waiting
    assert judge(denials, 10 + DENIED_TWICE_AFTER_S - 1, denied=(held(),), core=core) == []
    gone = judge(denials, 10 + DENIED_TWICE_AFTER_S, denied=(held(),), core=core)
    assert ends(gone) == {"a": 5}
    assert gone[0].why == "a leg is gone without an end"
    assert not denials.waiting


def test_a_leg_that_is_there_again_begins_anew() -> None:
    denials = Denials()
    judge(denials, 0, denied=(held(),))
    judge(denials, 30, alive=(held(),))
    assert judge(denials, 70, denied=(held(),)) == []
    assert ends(judge(denials, 130, denied=(held(),))) == {"a": 30}


def test_the_last_look_that_found_a_leg_is_its_last_sign_of_life() -> None:
    """A long call whose hangup was dropped ends where it was last seen, not where it last spoke."""
    denials = Denials()
    for now_s in (300, 600):
        judge(denials, now_s, alive=(held(),))
    judge(denials, 900, denied=(held(),))
    judge(denials, 930, denied=(held(),))
    assert ends(judge(denials, 960, denied=(held(),))) == {"a": 600}


def test_a_leg_of_a_process_that_is_gone_ends_at_once_where_that_was_last_heard() -> None:
    gone = judge(Denials(), 1000, denied=(held(core="before"),))
    assert ends(gone) == {"a": 100}
    assert gone[0].why == "the switch restarted, a leg is lost"


def test_a_leg_whose_id_is_another_s_ends_at_once() -> None:
    denials = Denials()
    judge(denials, 50, alive=(held(),))
    assert ends(judge(denials, 350, replaced=(held(),))) == {"a": 50}
    assert ends(judge(denials, 360, replaced=(held(core="before"),))) == {"a": 100}


def test_nothing_is_remembered_of_legs_that_are_held_no_longer() -> None:
    denials = Denials()
    judge(denials, 0, alive=(held("x"),), denied=(held("y"),))
    judge(denials, 10)
    assert not denials.waiting
    assert denials._alive_us == {}


def test_a_clock_that_is_none_moves_no_end() -> None:
    denials = Denials()
    judge(denials, 9e12, alive=(held(),))
    assert ends(judge(denials, 9e12 + 1, replaced=(held(),))) == {"a": 5}
