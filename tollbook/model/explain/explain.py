"""Say why a row is what it is: its legs as a tree, and for each column the rule that gave its value.

Nothing is decided here: the rules that fold a call are applied to its stored legs again, and what they name is put into
sentences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from tollbook.model.bridged import bridged_elsewhere, bridged_last
from tollbook.model.call_leg import CallLeg, joined_by_uid
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.charge import Price
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS, ROOT_COLUMNS
from tollbook.model.explain import sentences
from tollbook.model.explain.detail_sentences import rules_of_details
from tollbook.model.explain.leg_view import LegView, leg_views, own_legs
from tollbook.model.explain.sentences import Sentences, quote, time_of_day
from tollbook.model.fold import Decisions, Ending, FoldSettings, decide, row_of
from tollbook.model.imported import what_is_not_stated
from tollbook.model.leg import Leg
from tollbook.model.record import COLUMNS, Row

#: The columns that have a rule, in their order.
EXPLAINED_COLUMNS: Final = (*COLUMNS, *DETAIL_COLUMNS)
_ONLY_AT_THE_END: Final = ("end_ts", "duration_sec", "billsec", "disposition", "hangup_cause", *DETAIL_COLUMNS)
# These come with the price, and not from the legs.
_OF_PRICE: Final = frozenset(("cost_micros", "destination"))
# What today's settings would name may be no business of whoever reads this.
_UNNAMED: Final = frozenset({"account_id"})
_HIDDEN: Final = "a carrier's: for operators alone"
_PRUNED: Final = "the legs of this call are no longer kept: what is `recorded` was computed from them"
_CHANGED: Final = (
    "today's settings (trunks, on-net peers, technical prefixes, owners of numbers) are not those that this row was"
    " computed with, or it is from before its details were kept: a column that would change says so"
)
_RECORDED: Final = "recorded"
_NOT_BEFORE_THE_END: Final = "not before the end"
_BRIDGED_UNKNOWN: Final = "as it was computed then: a leg of another call said it, which is not known here"
_DURATION: Final = "clock seconds from start_ts to end_ts"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeView:
    """What one of the row's `parts` is charged for. `leg` is the number of the leg it pays; None: the call itself."""

    leg: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a row is what it is. `rules` has a sentence for each of EXPLAINED_COLUMNS, in their order.

    `charges` belong to the row's `parts`, one to one; None when the legs and settings of today do not give these
    parts. `note` is what to know before reading on. `trunk_root`: the root is a carrier's, by the row or by the
    settings of today. `own_legs` are the numbers of those whose far ends are the account's own.
    """

    legs: tuple[LegView, ...]
    rules: Mapping[str, str]
    charges: tuple[ChargeView, ...] | None
    note: str | None
    trunk_root: bool
    own_legs: frozenset[int] = frozenset()

    def without_other_accounts(self) -> Self:
        """Return the explanation without what says who is at the far ends that are another account's, or nobody's."""
        legs = (leg if leg.of_carrier or leg.leg in self.own_legs else leg.without_far_end() for leg in self.legs)
        return replace(self, legs=tuple(legs))

    def without_carriers(self) -> Self:
        """Return the explanation without what says who the carriers are, for a reader who must not know."""
        rules = {name: rule for name, rule in self.rules.items() if name not in CARRIER_COLUMNS}
        if self.trunk_root:
            rules |= dict.fromkeys((name for name in rules if name in ROOT_COLUMNS), _HIDDEN)
        legs = (leg if leg.leg in self.own_legs else leg.without_far_end() for leg in self.legs)
        return replace(self, legs=tuple(legs), rules=rules)


def explain(
    row: Row, price: Price | None, legs: Iterable[Leg], settings: FoldSettings, bridged: Iterable[Leg] = ()
) -> Explanation:
    """Explain a stored row by its stored legs, all of one switch, and by the operator's settings of today.

    `bridged`: the records of the leg of another call that whoever talked last in this one was bridged with.
    """
    calls = {call.key(row.switch): call for call in calls_of(legs)}
    call = calls.get(row.key)
    if call is None or (row.end_ts is not None and not call.complete):
        return Explanation(
            legs=(), rules=_row_alone(row, price), charges=None, note=_note(row, _PRUNED), trunk_root=row.trunk_root
        )
    other = bridged_last(call, joined_by_uid(bridged).get(bridged_elsewhere(call), ()))
    decisions = decide(call, settings, other)
    today = row_of(call, decisions, row.switch)
    say = Sentences(call, decisions.root)
    rules = {**_rules(call, decisions, say), "answered": _answered(today), **_rules_of_price(row, price)}
    changed = [
        name for name in EXPLAINED_COLUMNS if name not in _OF_PRICE and value_of(row, name) != value_of(today, name)
    ]
    if "hung_up_by" in changed and other is None and bridged_elsewhere(call):
        changed.remove("hung_up_by")
        rules["hung_up_by"] = _BRIDGED_UNKNOWN
    for name in changed:
        would_be = "something else" if name in _UNNAMED else quote(value_of(today, name))
        rules[name] = (
            f"as it was computed then; by the legs and settings of today it would be {would_be}: {rules[name]}"
        )
    agrees = row.parts == today.parts
    trunk_root = row.trunk_root or decisions.trunk_root
    return Explanation(
        legs=leg_views(call, settings.trunk_rules, say, trunk_root=trunk_root),
        rules={name: rules[name] for name in EXPLAINED_COLUMNS},
        charges=_charges(decisions, say) if agrees else None,
        note=_note(row, None if agrees and not changed else _CHANGED),
        trunk_root=trunk_root,
        own_legs=own_legs(call, settings.trunk_rules, row.account_id, trunk_root=trunk_root),
    )


def _note(row: Row, note: str | None) -> str | None:
    """Return what to know before reading on: of an imported call first where it comes from and what nobody states."""
    if row.details.imported is None:
        return note
    origin = what_is_not_stated(row.details.imported)
    return origin if note is None else f"{origin}; {note}"


def value_of(row: Row, column: str) -> object:
    """Return a column of a row, or one of its details."""
    return getattr(row.details if column in DETAIL_COLUMNS else row, column)


def _row_alone(row: Row, price: Price | None) -> dict[str, str]:
    rules = dict.fromkeys(EXPLAINED_COLUMNS, _RECORDED)
    return rules | {"duration_sec": _DURATION, "answered": _answered(row), **_rules_of_price(row, price)}


def _rules_of_price(row: Row, price: Price | None) -> dict[str, str]:
    if price is None or row.end_ts is None:
        destination = _NOT_BEFORE_THE_END
    elif price.destination is None:
        destination = "none: no charge of this call has a rate with a name"
    else:
        destination = "the name of the rate of the longest charge"
    return {"cost_micros": _cost(row, price), "destination": destination}


def _answered(row: Row) -> str:
    return "1, for there is an answer_ts" if row.answered else "0, for there is no answer_ts"


def _cost(row: Row, price: Price | None) -> str:
    if price is None or row.end_ts is None:
        return _NOT_BEFORE_THE_END
    if price.unrated:
        return "unrated, the price says why"
    if not row.answered:
        return "0: an unanswered call costs nothing"
    return "the sum of its parts" if len(price.parts) != 1 else "the price of its one part"


def _rules(call: Call, decisions: Decisions, say: Sentences) -> dict[str, str]:
    """Return the sentence of every column that the legs decide."""
    root = say.name(decisions.root)
    return {
        "call_id": f"the Unique-ID of {root}" if call.root else "the oldest ancestor that the legs name",
        "account_id": say.of(sentences.ACCOUNT, decisions.account),
        "direction": say.of(sentences.DIRECTION, decisions.direction)
        + ("" if call.complete else "; the best guess until the end"),
        "from_num": say.of(sentences.FROM_NUM, decisions.from_num),
        "to_num": say.of(sentences.TO_NUM, decisions.to_num),
        "start_ts": f"when {root} was created" + ("" if call.root else ": the root was not heard"),
        "answer_ts": say.of(sentences.ANSWER, decisions.answer),
        "queue_id": say.of(sentences.QUEUE, decisions.queue),
        "agent_id": say.of(sentences.AGENT, decisions.agent),
        **(
            _rules_of_end(decisions.root, decisions.ending, say, clock_set_back=call.clock_set_back)
            if decisions.ending
            else _rules_while_up(call, say)
        ),
    }


def _rules_of_end(root: CallLeg, ending: Ending, say: Sentences, *, clock_set_back: bool) -> dict[str, str]:
    last = ending.last
    return {
        "end_ts": f"{say.name(last)} hung up last, at {time_of_day(last.outcome.hangup_us)}"
        + (" (estimated: its last sign of life)" if last.estimated else "")
        + ("; the switch's clock was set back during the call" if clock_set_back else ""),
        "duration_sec": _DURATION,
        "billsec": say.of(sentences.BILLED_UNTIL, ending.billed_until),
        "disposition": say.of(sentences.DISPOSITION, ending.disposition),
        "hangup_cause": f"Hangup-Cause of {say.name(root)}",
        **rules_of_details(ending.details, say),
    }


def _rules_while_up(call: Call, say: Sentences) -> dict[str, str]:
    up = say.name(*(leg for leg in call.legs if leg.end is None))
    return dict.fromkeys(
        _ONLY_AT_THE_END, f"{_NOT_BEFORE_THE_END}: {f'{up} still up' if up else 'the root was not heard'}"
    )


def _charges(decisions: Decisions, say: Sentences) -> tuple[ChargeView, ...]:
    if decisions.ending is None:
        return ()
    return tuple(
        ChargeView(leg=None if decided.leg is None else say.number(decided.leg), why=say.of_charge(decided))
        for decided in decisions.ending.charges
    )
