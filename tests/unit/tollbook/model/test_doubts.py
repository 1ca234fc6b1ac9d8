"""What a call may have cost that nobody is billed for: found where no list names a host, and nowhere else."""

from typing import Any

import pytest

from tests.factories import created, ended
from tests.folded import rows, trunk
from tollbook.model.doubts import Doubt
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.trunks import TrunkRules

CARRIER = "sip:{}@203.0.113.9:5060"
NOBODY = TrunkRules()


def doubts(*events: SwitchEvent, trunk_rules: TrunkRules = NOBODY) -> set[tuple[str, str]]:
    settings = FoldSettings(trunk_rules=trunk_rules)
    return {(doubt.kind, doubt.name) for row in rows(*events, settings=settings) for doubt in row.doubts}


def call(*, answered_s: float | None = 1, root: dict[str, Any] | None = None, **leg: Any) -> list[SwitchEvent]:
    """A user's call, and the leg that it is bridged to: without a gateway, to a host that nobody has named."""
    begun = created("root", **({"user": "1000", "account": "acme"} | (root or {})))
    number = leg.pop("number", "118118")
    sent = trunk("leg", "root", number=number, **{"gateway": "", "destination_url": CARRIER.format(number)} | leg)
    ends = (ended(begun, hangup_s=9, answered_s=answered_s), ended(sent, hangup_s=9, answered_s=answered_s))
    return [begun, sent, *ends]


def test_a_short_number_at_a_host_in_neither_list() -> None:
    """Directory enquiries, an emergency call: free, as a colleague's extension is."""
    assert doubts(*call()) == {("short_number", "203.0.113.9")}


@pytest.mark.parametrize(
    ("leg", "trunk_rules"),
    [
        ({}, TrunkRules(trunks=frozenset({"203.0.113.9"}))),
        ({}, TrunkRules(onnet=frozenset({"203.0.113.0/24"}))),
        ({"gateway": "carrier"}, NOBODY),
        ({"dialed_user": "1001", "number": "1001"}, NOBODY),
        ({"channel": "sofia/internal/1001%pbx.example", "number": "1001"}, NOBODY),
        ({"channel": "verto.rtc/1001", "number": "1001"}, NOBODY),
        ({"number": "support"}, NOBODY),
        ({"number": "442079460000"}, NOBODY),  # off-net, and charged
        ({"answered_s": None}, NOBODY),
    ],
)
def test_what_is_named_or_certain_is_no_doubt(leg: dict[str, Any], trunk_rules: TrunkRules) -> None:
    assert doubts(*call(**leg), trunk_rules=trunk_rules) == set()


def test_a_user_s_dial_string_that_leads_to_another_number() -> None:
    leg = {"dialed_user": "1001", "number": "442079460000"}
    assert doubts(*call(**leg)) == {("user_abroad", "203.0.113.9")}
    assert doubts(*call(**leg | {"dialed_user": "442079460000"})) == set()
    assert doubts(*call(**leg), trunk_rules=TrunkRules(onnet=frozenset({"203.0.113.9"}))) == set()


def test_a_call_from_a_host_in_neither_list_that_goes_on_to_the_outside() -> None:
    """A customer let in by address: until the list names it, its number is taken for a stranger's."""
    root = {
        "user": "",
        "account": "",
        "source_ip": "198.51.100.7",
        "dialed": "442079460000",
        "cdr_direction": "outbound",
    }
    events = call(root=root, gateway="carrier", number="442079460000")
    assert doubts(*events) == {("transit", "198.51.100.7")}
    assert doubts(*events, trunk_rules=TrunkRules(onnet=frozenset({"198.51.100.7"}))) == set()
    assert doubts(*events, trunk_rules=TrunkRules(trunks=frozenset({"198.51.100.7"}))) == set()


def test_an_answered_leg_of_a_call_that_counts_as_unanswered() -> None:
    root = created("root")
    leg = trunk("leg", "root")
    assert doubts(root, leg, ended(root, hangup_s=9), ended(leg, hangup_s=9, answered_s=2)) == {
        ("unconfirmed", "carrier")
    }


def test_a_conference_s_outcall_without_an_account() -> None:
    begun = trunk("leg", "")
    end = ended(begun, hangup_s=9, answered_s=1, last_app="conference")
    assert doubts(begun, end) == {("outcall", "carrier")}
    assert doubts(begun, ended(begun, hangup_s=9, answered_s=1)) == set()
    paid = trunk("leg", "", account="acme")
    assert doubts(paid, ended(paid, hangup_s=9, answered_s=1, last_app="conference")) == set()


def test_a_host_is_named_once_and_nothing_before_the_end() -> None:
    begun, sent, end, over = call()
    again = trunk("leg2", "root", number="118500", gateway="", destination_url=CARRIER.format("118500"))
    assert doubts(begun, sent, end, again) == set()
    (row,) = rows(begun, sent, end, over, again, ended(again, hangup_s=9, answered_s=1))
    assert row.doubts == (Doubt("short_number", "203.0.113.9"),)
