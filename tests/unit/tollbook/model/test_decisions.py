"""Decisions: each column's value comes with its rule and its legs, and each rule has one sentence."""

import string
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from tests import recorded_details
from tests.factories import created, ended, legs_of
from tests.recorded import NAMES, SWITCH, recorded_legs
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.explain import detail_sentences, sentences
from tollbook.model.explain.sentences import Sentences
from tollbook.model.fold import Decisions, FoldSettings, decide, fold
from tollbook.model.leg import Leg, end_as_lost, merge_all
from tollbook.model.rules.answer import AnswerRule
from tollbook.model.rules.charges import NumberRule, SecondsRule
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.holding import HoldRule
from tollbook.model.rules.details.hung_up_by import HungUpByRule
from tollbook.model.rules.details.quality import CodecRule, MosRule
from tollbook.model.rules.details.recordings import RecordingsRule, VoicemailRule
from tollbook.model.rules.details.ringing import RingingRule
from tollbook.model.rules.details.signalling import ImportedRule, StatedRule
from tollbook.model.rules.details.talking import TalkRule
from tollbook.model.rules.details.trunk import GatewayRule, StatusRule
from tollbook.model.rules.details.waiting import WaitRule
from tollbook.model.rules.direction import DirectionRule
from tollbook.model.rules.ending import BilledUntilRule, DispositionRule
from tollbook.model.rules.parties import AccountRule, FromRule, ToRule
from tollbook.model.rules.queue import AgentRule, QueueRule
from tollbook.model.trunks import TrunkRules

SETTINGS = FoldSettings()
T0 = 1_800_000_000_000_000
SECOND = 1_000_000

# By the field of `Decisions` and `Ending`: the rules of the decision, and their sentences.
COLUMNS: dict[str, tuple[Any, Mapping[Any, str]]] = {
    "account": (AccountRule, sentences.ACCOUNT),
    "direction": (DirectionRule, sentences.DIRECTION),
    "from_num": (FromRule, sentences.FROM_NUM),
    "to_num": (ToRule, sentences.TO_NUM),
    "answer": (AnswerRule, sentences.ANSWER),
    "queue": (QueueRule, sentences.QUEUE),
    "agent": (AgentRule, sentences.AGENT),
    "billed_until": (BilledUntilRule, sentences.BILLED_UNTIL),
    "disposition": (DispositionRule, sentences.DISPOSITION),
}
# The same by the name of a detail.
DETAILS: dict[str, tuple[Any, Mapping[Any, str]]] = {
    "hung_up_by": (HungUpByRule, detail_sentences.HUNG_UP_BY),
    "pdd_ms": (RingingRule, detail_sentences.PDD),
    "ring_ms": (RingingRule, detail_sentences.RING),
    "wait_ms": (WaitRule, detail_sentences.WAIT),
    "talk_ms": (TalkRule, detail_sentences.TALK),
    "hold_ms": (HoldRule, detail_sentences.HOLD),
    "rx_mos": (MosRule, detail_sentences.MOS),
    "codec": (CodecRule, detail_sentences.CODEC),
    "sip_call_id": (StatedRule, detail_sentences.SIP_CALL_ID),
    "source_ip": (StatedRule, detail_sentences.SOURCE_IP),
    "gateway": (GatewayRule, detail_sentences.GATEWAY),
    "sip_status": (StatusRule, detail_sentences.SIP_STATUS),
    "recordings": (RecordingsRule, detail_sentences.RECORDINGS),
    "voicemail": (VoicemailRule, detail_sentences.VOICEMAIL),
    "vars": (StatedRule, detail_sentences.VARS),
    "imported": (ImportedRule, detail_sentences.IMPORTED),
}
CHARGES = [(NumberRule, sentences.CHARGED_NUMBER), (SecondsRule, sentences.CHARGED_SECONDS)]


def calls(name: str) -> list[Call]:
    """The calls of a recording."""
    return calls_of(merge_all(recorded_legs(name)).values())


def decided(decisions: Decisions) -> dict[str, Decision[Any, Any]]:
    """The decisions of a call, by the name of their field."""
    fields = {name: getattr(decisions, name) for name in decisions.__struct_fields__}
    if decisions.ending:
        fields |= {name: getattr(decisions.ending, name) for name in decisions.ending.__struct_fields__}
    return {name: value for name, value in fields.items() if isinstance(value, Decision)}


@pytest.mark.parametrize(("rules", "table"), [*COLUMNS.values(), *DETAILS.values(), *CHARGES])
def test_every_rule_has_a_sentence(rules: object, table: Mapping[str, str]) -> None:
    """And no sentence is left of a rule that is gone. Each names only fields that there are."""
    assert set(table) == set(get_args(rules))
    (call,) = calls("outbound_answered")
    assert call.root
    say = Sentences(call, call.root)
    for rule in table:
        sentence = say.of(table, Decision("value", rule, call.legs))
        assert sentence
        assert not set(sentence) & set("{}")


def test_no_two_rules_of_a_column_have_the_same_sentence() -> None:
    """So a reader learns from the sentence which rule it was."""
    for rules, table in (*COLUMNS.values(), *DETAILS.values()):
        assert len(set(table.values())) == len(table), rules


@pytest.mark.parametrize("name", NAMES)
def test_a_decision_names_legs_of_its_call(name: str) -> None:
    """The root alone, where it names none. A sentence that speaks of a leg has one."""
    for call in calls(name):
        for column, decision in decided(decide(call, SETTINGS)).items():
            assert all(any(leg is other for other in call.legs) for leg in decision.legs)
            template = COLUMNS[column][1][decision.rule]
            named = {field for _, field, _, _ in string.Formatter().parse(template) if field}
            assert bool(decision.legs) == bool(named & {"leg", "legs"}), (column, decision.rule)


@pytest.mark.parametrize("name", recorded_details.NAMES)
def test_a_detail_names_legs_or_none(name: str) -> None:
    """A sentence that speaks of several legs has them; one that speaks of a leg has the root where none is named."""
    for call in calls_of(merge_all(recorded_details.legs_heard(name)).values()):
        ending = decide(call, SETTINGS).ending
        assert ending
        for detail in ending.details.__struct_fields__:
            decision = getattr(ending.details, detail)
            template = DETAILS[detail][1][decision.rule]
            named = {field for _, field, _, _ in string.Formatter().parse(template) if field}
            assert bool(decision.legs) <= bool(named & {"leg", "legs"}), (detail, decision.rule)
            assert bool(decision.legs) >= ("legs" in named), (detail, decision.rule)


@pytest.mark.parametrize("name", NAMES)
def test_a_charge_names_the_leg_that_it_pays(name: str) -> None:
    """An answered off-net leg, by its own clock or for billsec; the call itself has no leg."""
    for call in calls(name):
        ending = decide(call, SETTINGS).ending
        if ending is None:
            continue
        row = fold(call, SETTINGS, SWITCH)
        assert row.parts == tuple(decided.charge for decided in ending.charges)
        for charged in ending.charges:
            assert (
                (charged.leg is None)
                == (charged.number_rule == "dialled number")
                == (charged.seconds_rule == "billsec")
            )
            if charged.leg is None:
                assert (charged.charge.number, charged.charge.seconds) == (row.to_num, row.billsec)
            else:
                assert charged.leg.answered_us
                assert charged.seconds_rule == "answer to hangup" or charged.charge.seconds == row.billsec


def leg(uid: str, *, at_s: int = 0, answered_s: int = 0, create: bool = True, **facts: str) -> list[Leg]:
    """A leg that began `at_s` seconds after START_US and ended at 60 s, from its CREATE and its HANGUP_COMPLETE."""
    begun = created(uid, at_s=at_s, **{"user": "1000", **facts})
    hangup = ended(begun, hangup_s=60, answered_s=answered_s or None)
    return legs_of(*([begun, hangup] if create else [hangup]), switch=SWITCH)


def child(**facts: str) -> list[Leg]:
    """An answered leg to a carrier, made for the root."""
    given = {"originator": "root", "channel_direction": "outbound", "gateway": "carrier"}
    return leg("child", at_s=1, answered_s=3, **given, **facts)


OWNER = FoldSettings(number_owners={"2000": "owner"})
PREFIX = FoldSettings(trunk_rules=TrunkRules(prefixes={"carrier": "20"}))
UNANSWERED_CHILD = leg("child", at_s=1, originator="root", account="acme")
FIFO_MEMBER = leg("child", at_s=1, answered_s=3, channel_direction="outbound", fifo_bridge="root", dialed_user="1001")


@pytest.mark.parametrize(
    ("legs", "settings", "column", "expected"),
    [
        (leg("root", user=""), OWNER, "account", ("owner", "owner of number", [])),
        (leg("root", call_direction="outbound"), SETTINGS, "direction", ("outbound", "stated at creation", [])),
        (leg("root", cdr_direction="local"), SETTINGS, "direction", ("internal", "operator's variable", [])),
        (leg("root", cc_queue="q"), SETTINGS, "direction", ("internal", "internal caller in a queue", [])),
        (leg("root") + UNANSWERED_CHILD, SETTINGS, "account", ("acme", "account of child", ["child"])),
        (leg("root", create=False, ani="1009"), SETTINGS, "from_num", ("1009", "caller without creation", [])),
        (leg("root", create=False, original_dialed="7"), SETTINGS, "to_num", ("7", "original destination", [])),
        (leg("root", create=False, req_user="8"), SETTINGS, "to_num", ("8", "requested user", [])),
        (leg("root", last_app="fifo", last_arg="q in") + FIFO_MEMBER, SETTINGS, "agent",
         ("1001", "member that fifo rang", ["child"])),
        (leg("root", last_bridge_cause="USER_BUSY"), SETTINGS, "disposition", ("busy", "last_bridge_hangup_cause", [])),
        ([end_as_lost(leg("root")[0], 0)], SETTINGS, "disposition", ("lost", "estimated end", ["root"])),
    ],
)  # fmt: skip
def test_rules_that_no_recording_reaches(
    legs: list[Leg], settings: FoldSettings, column: str, expected: tuple[str, str, list[str]]
) -> None:
    """Value, rule and legs, in that order."""
    (call,) = calls_of(merge_all(legs).values())
    decision = decided(decide(call, settings))[column]
    assert (decision.value, decision.rule, [leg.uid for leg in decision.legs]) == expected


@pytest.mark.parametrize(
    ("facts", "settings", "number", "rule"),
    [
        ({"call_number": "4930123456"}, PREFIX, "4930123456", "call_number"),
        ({}, PREFIX, "00", "sent number without prefix"),
        ({}, SETTINGS, "2000", "sent number"),
    ],
)
def test_the_number_of_a_charge_has_its_rule(
    facts: dict[str, str], settings: FoldSettings, number: str, rule: str
) -> None:
    """The variable call_number goes before what was sent, and that loses the technical prefix of its gateway alone."""
    (call,) = calls_of(merge_all(leg("root", answered_s=3) + child(**facts)).values())
    ending = decide(call, settings).ending
    assert ending
    (charged,) = ending.charges
    assert (charged.charge.number, charged.number_rule, charged.leg and charged.leg.uid) == (number, rule, "child")


def test_decisions_are_values() -> None:
    """Nothing that reads a decision can change the row."""
    (call,) = calls("outbound_answered")
    with pytest.raises(AttributeError):
        decide(call, SETTINGS).direction.value = "inbound"  # pyright: ignore[reportAttributeAccessIssue]
