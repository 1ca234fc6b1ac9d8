"""Rules of docs/calls.md that no recording reaches: what is off-net, which way a call goes, and what is charged."""

import pytest

from tests.factories import START_MS, created, ended
from tests.folded import rows, trunk
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.trunks import TrunkRules


def charged(*events: SwitchEvent, trunk_rules: TrunkRules | None = None) -> list[tuple[str, str, int]]:
    (row,) = rows(*events, settings=FoldSettings(trunk_rules=trunk_rules or TrunkRules()))
    return [(part.direction, part.number, part.seconds) for part in row.parts or ()]


def user_call(child: SwitchEvent, *, answered: float = 1, hangup: float = 11) -> list[SwitchEvent]:
    """A directory user's call that reached `child`, answered and hung up together."""
    root = created("root", user="1000", dialed="0015551230001")
    return [
        root,
        child,
        ended(child, answered_s=answered, hangup_s=hangup),
        ended(root, answered_s=answered, hangup_s=hangup),
    ]


@pytest.mark.parametrize(
    ("child", "trunk_rules", "outside"),
    [
        ({"gateway": "carrier"}, TrunkRules(), True),
        ({"gateway": "carrier"}, TrunkRules(onnet=frozenset({"carrier"})), False),
        ({"gateway": "carrier"}, TrunkRules(trunks=frozenset({"carrier"}), onnet=frozenset({"carrier"})), True),
        ({"gateway": ""}, TrunkRules(), True),
        ({"gateway": "", "dialed_user": "1001"}, TrunkRules(), False),
        ({"gateway": "", "number": "123456"}, TrunkRules(), False),
        ({"gateway": "", "number": "+1 (555) 123-0001"}, TrunkRules(), True),
        ({"gateway": "", "number": "alice1234567"}, TrunkRules(), False),
        (
            {"gateway": "", "number": "1234", "profile": "external"},
            TrunkRules(trunks=frozenset({"profile:external"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "profile": "external"},
            TrunkRules(trunks=frozenset({"gateway:external"})),
            False,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "sip:1234@sbc.example:5060;transport=tcp"},
            TrunkRules(trunks=frozenset({"host:sbc.example"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "sip:10.0.0.1:5060"},
            TrunkRules(trunks=frozenset({"host:10.0.0.1"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "<sips:1234@[2001:db8::1]:5061>"},
            TrunkRules(trunks=frozenset({"host:2001:db8::1"})),
            True,
        ),
        ({"channel": "loopback/15551230001-a"}, TrunkRules(trunks=frozenset({"carrier"})), False),
    ],
)
def test_what_is_off_net(child: dict[str, str], trunk_rules: TrunkRules, outside: bool) -> None:
    directions = [part[0] for part in charged(*user_call(trunk("t", "root", **child)), trunk_rules=trunk_rules)]
    assert directions == (["outbound"] if outside else ["internal"])


def test_a_leg_that_came_in_from_a_trunk_is_not_charged_as_one_that_went_out() -> None:
    root = created("root", gateway="carrier", profile="external")
    assert charged(
        root, ended(root, answered_s=1, hangup_s=5), trunk_rules=TrunkRules(trunks=frozenset({"external"}))
    ) == [("inbound", "2000", 4)]


def test_a_carrier_s_technical_prefix_is_not_a_country() -> None:
    events = user_call(trunk("t", "root", number="77#15551230001", channel="sofia/external/x"))
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"carrier": "77#"})) == [("outbound", "15551230001", 10)]
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"another": "77#"})) == [("outbound", "77#15551230001", 10)]


def test_call_number_wins_over_what_was_sent() -> None:
    events = user_call(trunk("t", "root", call_number="442071838750"))
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"carrier": "44"})) == [("outbound", "442071838750", 10)]


def test_an_inbound_call_pays_its_forward_for_the_forward_s_own_seconds() -> None:
    root = created("root", dialed="8005550100")
    forward = trunk("t", "root", at_s=5, number="15551239999")
    events = [root, forward, ended(forward, answered_s=8, hangup_s=20), ended(root, answered_s=1, hangup_s=30)]
    assert charged(*events) == [("inbound", "8005550100", 29), ("outbound", "15551239999", 12)]


@pytest.mark.parametrize(("apart_ms", "same"), [(1000, True), (1001, False)])
def test_a_second_apart_is_one_conversation(apart_ms: int, same: bool) -> None:
    """The only off-net leg is charged the call's own seconds when its ends are within 1,000 ms of the call's."""
    root = created("root", dialed="8005550100")
    forward = trunk("t", "root", number="15551239999")
    answered = 1.5 + apart_ms / 1000
    events = [root, forward, ended(forward, answered_s=answered, hangup_s=10), ended(root, answered_s=1.5, hangup_s=10)]
    own = 10 - int(answered)
    assert charged(*events)[1] == ("outbound", "15551239999", 9 if same else own)
    assert own != 9


def test_an_outbound_call_counts_from_the_far_end_s_answer() -> None:
    """An IVR answers the caller first; the customer pays from when the far end picked up."""
    root = created("root", user="1000", dialed="7702")
    far = trunk("t", "root", at_s=4)
    (row,) = rows(root, far, ended(root, answered_s=1, hangup_s=20), ended(far, answered_s=9, hangup_s=20))
    assert (row.direction, row.answer_ts, row.billsec) == ("outbound", START_MS + 9000, 11)


def test_a_click_to_call_whose_customer_never_picked_up_was_not_answered() -> None:
    root = created("root", channel_direction="outbound", dialed="1004", dialed_user="1004", caller="0000000000")
    customer = trunk("t", "root", number="15558675309")
    (row,) = rows(
        root,
        customer,
        ended(root, answered_s=2, hangup_s=30, originate_disposition="NO_ANSWER"),
        ended(customer, hangup_s=30, cause="ORIGINATOR_CANCEL"),
    )
    assert (row.from_num, row.to_num, row.answered, row.disposition) == ("1004", "15558675309", 0, "no_answer")
    assert row.parts == ()


def test_a_carrier_let_in_by_acl_is_no_directory_user() -> None:
    root = created("root", profile="external")
    assert rows(root)[0].direction == "inbound"
    assert rows(created("root", user="1000"))[0].direction == "internal"
