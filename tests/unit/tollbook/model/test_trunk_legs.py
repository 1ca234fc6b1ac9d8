"""The figures of each trunk leg, which the statistics of gateways add up."""

import msgspec
import pytest

from tests.factories import created, ended
from tests.folded import rows, trunk
from tests.recorded_details import DELAY_MS, NAMES, legs_heard, rows_of
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.trunk_leg import TrunkLeg
from tollbook.model.trunks import TrunkRules

ROOT = created("root", user="1000")


def call(*trunks: SwitchEvent, settings: FoldSettings | None = None) -> tuple[TrunkLeg, ...]:
    """The trunk legs of a call that hung up after 9 s; each of `trunks` is a CREATE or the end of one."""
    (row,) = rows(ROOT, ended(ROOT, hangup_s=9), *trunks, settings=settings)
    return row.trunk_legs


def test_each_leg_has_its_own_delay_and_not_the_call_s() -> None:
    """In the order in which they were made, also the one that failed."""
    (row,) = rows_of(legs_heard("pdd_failover"))
    assert row.trunk_legs == (
        TrunkLeg("carrier", 0, None, None),
        TrunkLeg("carrier2", 1, row.trunk_legs[1].pdd_ms, 4.5),
    )
    assert row.trunk_legs[1].pdd_ms == pytest.approx(1000, abs=DELAY_MS)
    assert row.details.pdd_ms == pytest.approx(2000, abs=DELAY_MS)


def test_what_the_switch_received_is_the_carrier_s_and_not_the_caller_s() -> None:
    """A tenth of the carrier's packets are lost, none of the caller's."""
    (row,) = rows_of(legs_heard("loss10_regular_from_carrier"))
    assert row.details.rx_mos == 4.5
    assert [leg.rx_mos for leg in row.trunk_legs] == [3.4]


@pytest.mark.parametrize("name", NAMES)
def test_a_call_has_trunk_legs_if_it_has_a_gateway(name: str) -> None:
    """They are of the same legs, so the call's gateway is among theirs; an answered one has a delay."""
    for row in rows_of(legs_heard(name)):
        gateways = [leg.gateway for leg in row.trunk_legs]
        assert (row.details.gateway in gateways) == bool(gateways)
        assert all(leg.pdd_ms is not None for leg in row.trunk_legs if leg.answered)
        assert any(leg.answered for leg in row.trunk_legs) <= (row.details.sip_status is None)


def test_a_leg_without_a_gateway_counts_without_one() -> None:
    """It is off-net by its number; a gateway that leads to a switch of our own counts too, a phone does not."""
    bare = trunk("a", "root", gateway="")
    assert call(bare, ended(bare, hangup_s=9, answered_s=2)) == (TrunkLeg(None, 1, 1900, None),)
    own = trunk("a", "root")
    settings = FoldSettings(trunk_rules=TrunkRules(onnet=frozenset({"carrier"})))
    assert call(own, ended(own, hangup_s=9), settings=settings) == (TrunkLeg("carrier", 0, None, None),)
    phone = trunk("a", "root", gateway="", number="1001")
    assert call(phone, ended(phone, hangup_s=9, answered_s=2)) == ()


def test_a_clock_that_was_set_back_gives_no_delay() -> None:
    leg = trunk("a", "root", at_s=5)
    assert call(leg, ended(leg, hangup_s=9, answered_s=2)) == (TrunkLeg("carrier", 1, None, None),)


def test_a_call_that_is_up_has_none_yet() -> None:
    assert call(trunk("a", "root")) == ()


def test_they_are_short_in_the_database() -> None:
    """An array without names: every call over a trunk has one at least."""
    assert msgspec.json.encode((TrunkLeg("carrier", 1, 1019, 4.5),)) == b'[["carrier",1,1019,4.5]]'
