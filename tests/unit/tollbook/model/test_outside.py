"""Rules of docs/calls.md on what comes from outside: which way such calls go, and who pays for them."""

from typing import Any

import pytest

from tests.factories import created, ended
from tests.folded import rows, trunk
from tollbook.model.event import SwitchEvent, cut_text
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import leg_of
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules

NOBODY = TrunkRules()


def only(*events: SwitchEvent, trunk_rules: TrunkRules = NOBODY, owners: dict[str, str] | None = None) -> Row:
    (row,) = rows(*events, settings=FoldSettings(trunk_rules=trunk_rules, number_owners=owners or {}))
    return row


@pytest.mark.parametrize(
    ("facts", "trunk_rules", "arrival"),
    [
        ({}, NOBODY, "outside"),
        ({"user": "1000"}, NOBODY, "directory user"),
        ({"channel": "verto.rtc/1000"}, NOBODY, "module without trunks"),
        ({"channel": "SKINNY/1000"}, NOBODY, "module without trunks"),
        ({"channel": "FreeTDM/1:3/2000"}, NOBODY, "outside"),
        ({"channel": "loopback/2000-b"}, NOBODY, "module without trunks"),
        ({"channel_direction": "outbound"}, NOBODY, "this switch"),
        ({"source_ip": "10.1.2.3"}, TrunkRules(onnet=frozenset({"10.1.2.3"})), "on-net peer"),
        ({"source_ip": "10.1.2.3"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), "on-net peer"),
        ({"source_ip": "10.1.2.3"}, TrunkRules(onnet=frozenset({"host:10.0.0.0/8"})), "on-net peer"),
        ({"source_ip": "fd00::1"}, TrunkRules(onnet=frozenset({"fd00:0::/8"})), "on-net peer"),
        ({"source_ip": "11.1.2.3"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), "outside"),
        ({"source_ip": "nonsense"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), "outside"),
        ({"source_ip": ""}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), "outside"),
        ({"profile": "pbx"}, TrunkRules(onnet=frozenset({"profile:pbx"})), "on-net peer"),
        ({"source_gateway": "pbx"}, TrunkRules(onnet=frozenset({"gateway:pbx"})), "on-net peer"),
        ({"source_gateway": "pbx"}, TrunkRules(onnet=frozenset({"host:pbx"})), "outside"),
        ({"user": "fxo", "source_ip": "10.1.2.3"}, TrunkRules(trunks=frozenset({"10.1.2.3"})), "outside"),
        ({"user": "1000", "source_ip": "10.1.2.3"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), "directory user"),
    ],
)
def test_where_a_call_comes_from(facts: dict[str, Any], trunk_rules: TrunkRules, arrival: str) -> None:
    leg = leg_of(created("root", **facts), "fs1")
    assert leg
    assert leg.create
    assert trunk_rules.arrival(leg.create) == arrival


@pytest.mark.parametrize(
    ("root", "at_creation", "at_end", "direction"),
    [
        ({}, "", "inbound", "inbound"),
        ({}, "", "outbound", "inbound"),
        ({}, "", "local", "inbound"),
        ({}, "", "internal", "internal"),
        ({}, "", "up", "inbound"),
        ({}, "outbound", "", "outbound"),
        ({}, "Local", "outbound", "internal"),
        ({"dialed": "+1 555 123 0001"}, "", "outbound", "outbound"),
        ({"dialed": "5551230001"}, "", "Outbound", "outbound"),
        ({"dialed": "support"}, "", "outbound", "inbound"),
        ({"user": "1000"}, "", "inbound", "outbound"),
        ({"user": "1000"}, "", "local", "internal"),
        ({"user": "1000"}, "inbound", "", "inbound"),
        ({"channel_direction": "outbound"}, "", "inbound", "outbound"),
        ({"channel_direction": "outbound"}, "", "local", "internal"),
        ({"channel": "verto.rtc/1000"}, "", "inbound", "inbound"),
    ],
)
def test_call_direction_counts_within_limits(
    root: dict[str, Any], at_creation: str, at_end: str, direction: str
) -> None:
    """A route that sends a call out writes its own direction over it; what is stated at the creation is the call's."""
    begun = created("root", call_direction=at_creation, **root)
    away = trunk("t", "root")
    row = only(
        begun,
        away,
        ended(away, answered_s=2, hangup_s=9),
        ended(begun, answered_s=1, hangup_s=9, call_direction=at_end),
    )
    assert row.direction == direction


@pytest.mark.parametrize("stated", [{"begun": "internal"}, {"over": "internal"}, {"begun": "up", "over": "local"}])
def test_the_operator_s_variable_wins_wherever_it_is_set(stated: dict[str, str]) -> None:
    begun = created("root", call_direction="outbound", cdr_direction=stated.get("begun", ""))
    row = only(begun, ended(begun, answered_s=1, hangup_s=9, cdr_direction=stated.get("over", "")))
    assert row.direction == "internal"


def test_a_peer_s_call_goes_where_its_legs_go() -> None:
    """Another PBX of ours that calls in is no outside caller."""
    peers = TrunkRules(onnet=frozenset({"10.0.0.0/8"}))
    begun = created("root", source_ip="10.0.0.7", dialed="15551230001")
    away = trunk("t", "root")
    events = [begun, away, ended(away, answered_s=2, hangup_s=9), ended(begun, answered_s=2, hangup_s=9)]
    assert (only(*events, trunk_rules=peers).direction, only(*events).direction) == ("outbound", "inbound")


@pytest.mark.parametrize(
    ("facts", "pays"),
    [
        ({}, True),
        ({"source_ip": "10.0.0.7"}, True),
        ({"user": "1000"}, False),
        ({"channel": "verto.rtc/1000"}, False),
        ({"channel_direction": "outbound"}, False),
    ],
)
def test_who_owns_the_number_pays_for_calls_to_it_alone(facts: dict[str, Any], pays: bool) -> None:
    """And not for a call of ours that rings it: nobody asked the owner."""
    row = only(
        created("root", dialed="8005550100", **facts),
        trunk_rules=TrunkRules(onnet=frozenset({"10.0.0.0/8"})),
        owners={"8005550100": "owner"},
    )
    assert row.account_id == ("owner" if pays else None)


@pytest.mark.parametrize(
    ("served_by", "direction"),
    [
        ({"cc_side": "agent", "cc_agent_bridged": "true"}, "internal"),
        ({"fifo_bridge": "root"}, "internal"),
        ({}, "outbound"),
    ],
)
@pytest.mark.parametrize("waits", [{"cc_queue": "support"}, {"last_app": "fifo", "last_arg": "support in"}])
def test_an_internal_caller_in_a_queue_calls_the_queue(
    served_by: dict[str, str], direction: str, waits: dict[str, str]
) -> None:
    """Even when the agent's phone is a mobile; but not when the queue sent the caller elsewhere."""
    begun, away = created("root", user="1000", dialed="7000"), trunk("t", "root", **served_by)
    ends = [ended(away, answered_s=2, hangup_s=9), ended(begun, answered_s=1, hangup_s=9, **waits)]
    assert only(begun, away, *ends).direction == direction


@pytest.mark.parametrize(
    ("facts", "trunk_rules", "off_net"),
    [
        ({"channel": "FreeTDM/1:3/0301234567"}, NOBODY, True),
        ({"channel": "KHOMP/1/0301234567"}, NOBODY, True),
        ({"channel": "verto.rtc/0301234567"}, NOBODY, False),
        ({"channel": "Skinny/0301234567"}, NOBODY, False),
        ({"channel": "FreeTDM/1:3/112", "dialed": "112"}, NOBODY, False),
        ({"channel": "FreeTDM/1:3/112", "dialed": "112"}, TrunkRules(trunks=frozenset({"freetdm"})), True),
        ({"channel": "FreeTDM/1:3/112", "dialed": "112"}, TrunkRules(trunks=frozenset({"module:FreeTDM"})), True),
        ({"channel": "FreeTDM/1:3/112", "dialed": "112"}, TrunkRules(trunks=frozenset({"gateway:freetdm"})), False),
        ({"channel": "FreeTDM/1:3/0301234567"}, TrunkRules(onnet=frozenset({"freetdm"})), False),
        ({"dialed": "0301234567%pbx.example"}, NOBODY, False),
        ({"channel": "sofia/internal/0301234567%pbx.example"}, NOBODY, False),
        ({"channel": "sofia/external/%230301234567@sbc.example"}, NOBODY, True),
        ({"dialed": "0301234567%23", "channel": "sofia/external/0301234567%23@sbc.example"}, NOBODY, True),
        ({"dialed": "0301234567;phone-context=%2b1", "channel": "sofia/external/1@sbc.example"}, NOBODY, True),
        ({"channel": "FreeTDM/1:3/0301234567%"}, NOBODY, True),
        ({"channel": cut_text("sofia/external/1;" + "x" * 130 + "@sbc.example;" + "q=%20" * 30)}, NOBODY, True),
        ({"dialed": "123456;ext=4567"}, NOBODY, False),
        ({"dialed": "0301234567;ext=4567"}, NOBODY, True),
        ({"destination_url": "sip:0301234567@10.1.2.3:5060"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), False),
        ({"destination_url": "sip:0301234567@[::ffff:10.1.2.3]"}, TrunkRules(onnet=frozenset({"10.0.0.0/8"})), False),
        ({"destination_url": "sip:0301234567@PBX.example"}, TrunkRules(onnet=frozenset({"pbx.example"})), False),
        (
            {"destination_url": "sip:112@sbc.example", "dialed": "112"},
            TrunkRules(trunks=frozenset({"host:SBC.example"})),
            True,
        ),
    ],
)
def test_a_trunk_of_any_module_is_off_net(facts: dict[str, Any], trunk_rules: TrunkRules, off_net: bool) -> None:
    sent = created("t", **{"channel_direction": "outbound", "dialed": "0301234567", **facts})
    leg = leg_of(sent, "fs1")
    assert leg
    assert leg.create
    assert trunk_rules.verdict(leg.create)[0] == off_net
