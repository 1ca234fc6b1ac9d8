"""Say why a row is what it is: its legs as a tree, and for each column the rule that gave it.

Nothing is decided here: the call is folded again by the functions that folded it, and their answers are put into
words. Sentences call legs by their number, so that they repeat no text that a caller chose.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import Call, CallLeg, calls_of
from tollbook.model.causes import telling_cause
from tollbook.model.charge import Price
from tollbook.model.explain.leg_view import LegView, leg_views
from tollbook.model.fold import (
    FoldSettings,
    answered_fifo,
    cause_of,
    fold,
    is_bridged_agent,
    paying_child,
    serves,
    stated_direction,
)
from tollbook.model.leg import Leg
from tollbook.model.record import COLUMNS, Row

_UNNAMED = frozenset({"account_id"})  # what today's settings would name may be nobody's business who reads this
_LONGEST_QUOTE = 40


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a row is what it is. `rules` has a sentence for each of the 16 columns. `agrees`: the legs and settings of
    today give the parts that were charged. `note`: what to know before reading on."""

    legs: tuple[LegView, ...]
    rules: Mapping[str, str]
    agrees: bool
    note: str | None


def explain(row: Row, price: Price | None, legs: Iterable[Leg], settings: FoldSettings) -> Explanation:
    """Explain a stored row by its stored legs, all of one switch, and by the operator's settings of today."""
    calls = {CallKey(call.start_us // 1000, call.call_id, row.switch): call for call in calls_of(legs)}
    call = calls.get(row.key)
    if call is None or (row.end_ts is not None and not call.complete):
        return Explanation(legs=(), rules=_row_alone(row, price), agrees=False, note=_PRUNED)
    today = fold(call, settings, row.switch)
    root = call.root or call.legs[0]
    case = _Case(
        call=call,
        row=today,
        settings=settings,
        root=root,
        children=tuple(leg for leg in call.legs if leg is not root),
        off_net=tuple(leg for leg in call.legs if settings.trunk_rules.off_net(leg.origin)),
    )
    rules = {**case.rules(), "cost_micros": _cost(row, price)}
    changed = [name for name in COLUMNS if name != "cost_micros" and getattr(row, name) != getattr(today, name)]
    for name in changed:
        other = "something else" if name in _UNNAMED else _brief(getattr(today, name))
        rules[name] = f"as it was computed then; by the legs and settings of today it would be {other}: {rules[name]}"
    agrees = row.parts == today.parts
    return Explanation(
        legs=leg_views(call, settings.trunk_rules),
        rules={name: rules[name] for name in COLUMNS},
        agrees=agrees,
        note=None if agrees and not changed else _CHANGED,
    )


_PRUNED = "the legs of this call are no longer kept: what follows is what its row alone holds"
_CHANGED = (
    "today's settings (trunks, on-net peers, technical prefixes, owners of numbers) are not those that this row was"
    " computed with: a column that they would change says so"
)
_AS_THEN = "as it was computed from the legs, which are no longer kept"


def _row_alone(row: Row, price: Price | None) -> dict[str, str]:
    rules = dict.fromkeys(COLUMNS, _AS_THEN)
    return rules | {
        "duration_sec": "clock seconds from start_ts to end_ts",
        "answered": _answered(row),
        "cost_micros": _cost(row, price),
    }


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


def _brief(value: object) -> str:
    text = "nothing" if value is None or value == "" else str(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _clock(us: int) -> str:
    # Integers: a float of microseconds is off by one now and then.
    seconds, rest = divmod(us, 1_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%H:%M:%S}.{rest // 1000:03}"


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A call and the row that its legs give today."""

    call: Call
    row: Row
    settings: FoldSettings
    root: CallLeg
    children: tuple[CallLeg, ...]
    off_net: tuple[CallLeg, ...]

    def number(self, leg: CallLeg) -> int:
        return 1 + next(place for place, one in enumerate(self.call.legs) if one is leg)

    def name(self, leg: CallLeg) -> str:
        return f"leg {self.number(leg)} (root)" if leg is self.call.root else f"leg {self.number(leg)}"

    def names(self, legs: Iterable[CallLeg]) -> str:
        return ", ".join(self.name(leg) for leg in legs)

    def rules(self) -> dict[str, str]:
        queue, agent = self._service()
        from_num, to_num = self._numbers()
        root = self.name(self.root)
        return {
            "call_id": f"the Unique-ID of {root}" if self.call.root else "the oldest ancestor that the legs name",
            "account_id": self._account(),
            "direction": self._direction() + ("" if self.call.complete else "; the best guess until the end"),
            "from_num": from_num,
            "to_num": to_num,
            "start_ts": f"when {root} was created" + ("" if self.call.root else ": the root was not heard"),
            "answer_ts": self._answer(),
            "answered": _answered(self.row),
            "queue_id": queue,
            "agent_id": agent,
            **self._end(),
        }

    def _account(self) -> str:
        root = self.root
        if root.outcome.account:
            at_end = root.end is not None and root.end.account
            return f"the account code of {self.name(root)} at its {'end' if at_end else 'creation'}"
        if self.settings.owner_of(self.row.to_num):
            return f"no account code on {self.name(root)}: the number dialled belongs to this account"
        child = paying_child(self.children)
        if child is None:
            return "none: no leg has an account code, and the number dialled belongs to no account"
        first = "that answered and has one" if child.answered_us else "that has one"
        return f"neither {self.name(root)} nor the number dialled tells: {self.name(child)} is the first child {first}"

    def _direction(self) -> str:
        root, answered = self.root, [leg for leg in self.off_net if leg.answered_us]
        if stated_direction(root):
            return f"the variable call_direction of {self.name(root)} says {root.outcome.call_direction}"
        if self.row.direction == "inbound":
            return f"{self.name(root)} came in, and not from a directory user"
        origin = "the switch made" if root.origin.outbound else "a directory user made"
        if self.row.direction == "outbound":
            why = (
                f"{self.name(answered[0])} was answered"
                if answered
                else f"no child answered ({self.names(self.off_net)})"
            )
            return f"{origin} the call, and it went off-net: {why}"
        if not self.off_net:
            return f"{origin} the call, and no leg is off-net"
        return f"{origin} the call; a child answered, and no off-net leg did"

    def _numbers(self) -> tuple[str, str]:
        root, origin = self.root, self.root.origin
        name = self.name(root)
        if not origin.outbound:
            if root.heard_create:
                return f"the caller number of {name} at its creation", f"what {name} dialled, at its creation"
            kept = {"original_destination_number": origin.original_dialed, "sip_req_user": origin.req_user}
            header = next((header for header, number in kept.items() if number), "the last destination")
            return f"the caller number of {name}, whose creation was not heard", f"{header} of {name}"
        other = next((leg for leg in self.children if not leg.origin.loopback), None)
        if (other is None or not other.sent_number) and root.outcome.dialed in ("", root.sent_number):
            return f"the caller number of {name}: nobody else was rung", f"the number that {name} rang"
        rung = f"the switch made the call: the number that {name} rang first"
        if other and other.sent_number:
            return rung, f"the number of {self.name(other)}, the first child that is no loopback"
        return rung, f"the last destination of {name}"

    def _answer(self) -> str:
        root, answered = self.root, [leg for leg in self.off_net if leg.answered_us]
        if self.row.direction != "outbound" or not self.off_net:
            said = f"was answered at {_clock(root.answered_us)}" if root.answered_us else "was not answered"
            return f"{self.name(root)} {said}"
        far = "outbound with off-net legs, so the far end's answer counts"
        if not answered:
            return f"{far}, and none answered ({self.names(self.off_net)})"
        first = min(answered, key=lambda leg: leg.answered_us)
        told = f"{far}, {self.name(first)} at {_clock(first.answered_us)}"
        if root.answered_us > first.answered_us:
            told += f"; {self.name(root)} was answered later, at {_clock(root.answered_us)}"
        return told

    def _service(self) -> tuple[str, str]:
        root, row = self.root, self.row
        name = self.name(root)
        bridged = [leg for leg in self.children if is_bridged_agent(leg)]
        if bridged:
            agent = self.name(bridged[-1])
            return f"cc_queue of {agent}, the last agent who spoke to the caller", f"cc_agent of {agent}"
        if root.outcome.cc_side == "agent":
            return f"none: {name} is itself an agent's", f"none: {name} is itself an agent's"
        if row.queue_id is None:
            return "none: the caller waited in no queue", "none: there is no queue"
        if root.outcome.cc_queue:
            standby = f"cc_agent of {name}: standby agents have calls of their own"
            nobody = "none: no agent spoke to the caller"
            return f"cc_queue of {name}: no agent's leg was bridged", standby if row.agent_id else nobody
        served = next((leg for leg in self.children if answered_fifo(leg)), None)
        nobody = "none: nobody whom the fifo rang answered"
        agent = f"the user dialled by {self.name(served)}, which answered" if served else nobody
        return f"{name} waited in this fifo", agent

    def _end(self) -> dict[str, str]:
        names = ("end_ts", "duration_sec", "billsec", "disposition", "hangup_cause")
        root, row = self.root, self.row
        if not self.call.complete:
            up = self.names(leg for leg in self.call.legs if leg.end is None)
            why = f"{up} still up" if up else "the root was not heard"
            return dict.fromkeys(names, f"not before the end: {why}")
        last = max(self.call.legs, key=lambda leg: leg.outcome.hangup_us)
        until = f"the hangup of {self.name(root)}" if row.direction == "inbound" else "end_ts"
        return {
            "end_ts": f"{self.name(last)} hung up last, at {_clock(last.outcome.hangup_us)}"
            + (" (estimated: its last sign of life)" if last.estimated else ""),
            "duration_sec": "clock seconds from start_ts to end_ts",
            "billsec": f"clock seconds from answer_ts to {until}" if row.answered else "0: not answered",
            "disposition": self._disposition(last),
            "hangup_cause": f"Hangup-Cause of {self.name(root)}",
        }

    def _disposition(self, last: CallLeg) -> str:
        said, row = self.root.outcome, self.row
        if row.disposition == "lost":
            return f"the end of {self.name(self.root if self.root.estimated else last)} is an estimate"
        if row.disposition == "abandoned":
            return "answered, but nobody served the caller, who waited in a queue"
        if row.answered:
            if row.queue_id is None:
                return "there is an answer_ts"
            served = next((self.name(leg) for leg in self.children if serves(leg)), "")
            other = "fifo_serviced_by names who did" if said.fifo_serviced_by else "a standby agent did"
            return f"answered, and the caller in the queue was served: {f'{served} answered' if served else other}"
        if row.disposition == "cancelled":
            return f"not answered, and {self.name(self.root)} ended with ORIGINATOR_CANCEL"
        causes = {
            "originate_disposition": said.originate_disposition,
            "last_bridge_hangup_cause": said.last_bridge_cause,
        }
        header = next((name for name, cause in causes.items() if telling_cause(cause, "")), "Hangup-Cause")
        cause = _brief(cause_of(self.root))
        return f"not answered, and {header} of {self.name(self.root)} says {cause}: {row.disposition}"
