"""Whose far ends an account may know: those of its own phones, and of no carrier and no other account."""

from typing import Any

import pytest

from tests.factories import created, ended, legs_of
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.explain.leg_view import own_legs
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import merge_all
from tollbook.model.trunks import TrunkRules

PHONE = {"user": "1000", "account": "acme", "source_ip": "10.0.0.1"}
#: A leg that the switch made, and why it is, or is not, a phone of acme's.
CHILDREN: dict[str, tuple[dict[str, Any], bool]] = {
    "a phone of the account": ({"dialed_user": "1001", "account": "acme"}, True),
    "a registered phone of it": ({"channel": "sofia/internal/1001%a", "dialed": "1001", "account": "acme"}, True),
    "a phone of another account": ({"dialed_user": "2001", "account": "globex"}, False),
    "a phone of nobody known": ({"dialed_user": "2001"}, False),
    "a gateway": ({"gateway": "carrier", "dialed": "4930123456", "account": "acme"}, False),
    "a gateway that is no trunk today": ({"gateway": "pbx", "dialed": "112", "account": "acme"}, False),
    "a short number to an address": (
        {"channel": "sofia/external/112@203.0.113.9", "dialed": "112", "account": "acme"}, False,
    ),
    "a trunk that registers": (
        {"dialed_user": "fxo", "channel": "sofia/fxo/1001", "profile": "fxo", "account": "acme"}, False,
    ),
}  # fmt: skip
RULES = TrunkRules(trunks=frozenset({"profile:fxo"}), onnet=frozenset({"pbx"}))


def call_of(root: dict[str, Any], *children: dict[str, Any]) -> Call:
    first = created("a", **root)
    others = [
        created(f"b{number}", originator="a", channel_direction="outbound", **{"dialed": "1001"} | child)
        for number, child in enumerate(children)
    ]
    events = [event for create in (first, *others) for event in (create, ended(create, hangup_s=9))]
    (call,) = calls_of(merge_all(legs_of(*events)).values())
    return call


@pytest.mark.parametrize("name", CHILDREN)
def test_only_a_phone_of_the_account_itself_is_its_own(name: str) -> None:
    """Stricter than what is charged: a short number may be a carrier's, and a phone another account's."""
    child, own = CHILDREN[name]
    assert own_legs(call_of(PHONE, child), RULES, "acme", trunk_root=False) == ({1, 2} if own else {1})


def test_a_carrier_s_root_is_not_and_without_an_account_nothing_is() -> None:
    call = call_of({"source_ip": "203.0.113.9"}, {"dialed_user": "1001", "account": "acme"})
    assert own_legs(call, RULES, "acme", trunk_root=True) == {2}
    assert own_legs(call, RULES, None, trunk_root=True) == frozenset()


@pytest.mark.parametrize(
    ("root", "of_trunk"),
    [
        (PHONE, False),
        ({"source_ip": "203.0.113.9"}, True),
        ({"channel_direction": "outbound", "dialed_user": "1000"}, False),
        ({"channel_direction": "outbound", "dialed": "112", "channel": "sofia/external/112@203.0.113.9"}, True),
        ({"channel_direction": "outbound", "gateway": "pbx", "dialed": "112"}, True),
        ({"channel_direction": "outbound", "channel": "loopback/1000-a", "dialed": "1000"}, False),
    ],
    ids=str,
)
def test_a_root_of_an_originate_is_a_trunk_s_unless_it_is_a_phone(root: dict[str, Any], of_trunk: bool) -> None:
    """So that the row hides the address that its leg hides: of a gateway, on-net or not, and of a short number."""
    assert fold(call_of(root), FoldSettings(trunk_rules=RULES), "fs1").trunk_root is of_trunk
