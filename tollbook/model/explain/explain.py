"""Say why a row is what it is: its legs as a tree, and for each column the rule that gave its value.

Nothing is decided here: the rules that fold a call are applied to its stored legs again, and what they name is put into
sentences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tollbook.model.call_tree import Call, CallLeg, calls_of
from tollbook.model.charge import Price
from tollbook.model.explain import sentences
from tollbook.model.explain.leg_view import LegView, leg_views
from tollbook.model.explain.sentences import Sentences, quote, time_of_day
from tollbook.model.fold import Decisions, Ending, FoldSettings, decide, row_of
from tollbook.model.leg import Leg
from tollbook.model.record import COLUMNS, Row

_ONLY_AT_THE_END: Final = ("end_ts", "duration_sec", "billsec", "disposition", "hangup_cause")
# What today's settings would name may be no business of whoever reads this.
_UNNAMED: Final = frozenset({"account_id"})
_PRUNED: Final = "the legs of this call are no longer kept: what follows is what its row alone holds"
_CHANGED: Final = (
    "today's settings (trunks, on-net peers, technical prefixes, owners of numbers) are not those that this row was"
    " computed with: a column that they would change says so"
)
_AS_COMPUTED_THEN: Final = "as it was computed from the legs, which are no longer kept"
_DURATION: Final = "clock seconds from start_ts to end_ts"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeView:
    """What one of the row's `parts` is charged for. `leg` is the number of the leg it pays; None: the call itself."""

    leg: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a row is what it is. `rules` has a sentence for each of the 16 columns, in their order.

    `charges` belong to the row's `parts`, one to one; None when the legs and settings of today do not give these
    parts. `note` is what to know before reading on.
    """

    legs: tuple[LegView, ...]
    rules: Mapping[str, str]
    charges: tuple[ChargeView, ...] | None
    note: str | None


def explain(row: Row, price: Price | None, legs: Iterable[Leg], settings: FoldSettings) -> Explanation:
    """Explain a stored row by its stored legs, all of one switch, and by the operator's settings of today."""
    calls = {call.key(row.switch): call for call in calls_of(legs)}
    call = calls.get(row.key)
    if call is None or (row.end_ts is not None and not call.complete):
        return Explanation(legs=(), rules=_row_alone(row, price), charges=None, note=_PRUNED)
    decisions = decide(call, settings)
    today = row_of(call, decisions, row.switch)
    say = Sentences(call, decisions.root)
    rules = {**_rules(call, decisions, say), "answered": _answered(today), "cost_micros": _cost(row, price)}
    changed = [name for name in COLUMNS if name != "cost_micros" and getattr(row, name) != getattr(today, name)]
    for name in changed:
        other = "something else" if name in _UNNAMED else quote(getattr(today, name))
        rules[name] = f"as it was computed then; by the legs and settings of today it would be {other}: {rules[name]}"
    agrees = row.parts == today.parts
    return Explanation(
        legs=leg_views(call, settings.trunk_rules),
        rules={name: rules[name] for name in COLUMNS},
        charges=_charges(decisions, say) if agrees else None,
        note=None if agrees and not changed else _CHANGED,
    )


def _row_alone(row: Row, price: Price | None) -> dict[str, str]:
    rules = dict.fromkeys(COLUMNS, _AS_COMPUTED_THEN)
    return rules | {"duration_sec": _DURATION, "answered": _answered(row), "cost_micros": _cost(row, price)}


def _answered(row: Row) -> str:
    return "1, for there is an answer_ts" if row.answered else "0, for there is no answer_ts"


def _cost(row: Row, price: Price | None) -> str:
    if price is None or row.end_ts is None:
        return "not before the end"
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
            _rules_of_end(
                decisions.root,
                decisions.ending,
                say,
                clock_set_back=any(leg.clock_set_back for leg in call.dating_legs),
            )
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
    }


def _rules_while_up(call: Call, say: Sentences) -> dict[str, str]:
    up = say.name(*(leg for leg in call.legs if leg.end is None))
    return dict.fromkeys(
        _ONLY_AT_THE_END, f"not before the end: {f'{up} still up' if up else 'the root was not heard'}"
    )


def _charges(decisions: Decisions, say: Sentences) -> tuple[ChargeView, ...]:
    if decisions.ending is None:
        return ()
    return tuple(
        ChargeView(leg=None if decided.leg is None else say.number(decided.leg), why=say.of_charge(decided))
        for decided in decisions.ending.charges
    )
