"""Decisions: each column's value comes with its rule and its legs, and each rule has one sentence."""

import string
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from tests.recorded import NAMES, SWITCH, recorded_legs
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.explain import sentences
from tollbook.model.explain.sentences import Sentences
from tollbook.model.fold import Decisions, FoldSettings, decide, fold
from tollbook.model.leg import merge_all
from tollbook.model.rules.answer import AnswerRule
from tollbook.model.rules.charges import NumberRule, SecondsRule
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.direction import DirectionRule
from tollbook.model.rules.ending import BilledUntilRule, DispositionRule
from tollbook.model.rules.parties import AccountRule, FromRule, ToRule
from tollbook.model.rules.queue import AgentRule, QueueRule

SETTINGS = FoldSettings()

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


@pytest.mark.parametrize(("rules", "table"), [*COLUMNS.values(), *CHARGES])
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
    for rules, table in COLUMNS.values():
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


def test_decisions_are_values() -> None:
    """Nothing that reads a decision can change the row."""
    (call,) = calls("outbound_answered")
    with pytest.raises(AttributeError):
        decide(call, SETTINGS).direction.value = "inbound"  # pyright: ignore[reportAttributeAccessIssue]
