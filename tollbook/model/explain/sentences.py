"""A sentence for each rule by which a column came to its value. Nothing is decided here.

Legs are called by their number, and what a caller can choose is left out or cut short, so a sentence stays one short
line. The fields in braces: `leg` and `legs` are the decision's own, or the root; `root` is the call's; `*_at` are times
of day; `said` and `packets_in` are what the end of `leg` states.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call
from tollbook.model.rules.answer import AnswerRule
from tollbook.model.rules.charges import DecidedCharge, NumberRule, SecondsRule
from tollbook.model.rules.decision import Decision, Rule, Value
from tollbook.model.rules.details.ringing import rang_us
from tollbook.model.rules.direction import DirectionRule
from tollbook.model.rules.ending import BilledUntilRule, DispositionRule
from tollbook.model.rules.parties import AccountRule, FromRule, ToRule
from tollbook.model.rules.queue import AgentRule, QueueRule

_LONGEST_QUOTE: Final = 40

ACCOUNT: Final[Mapping[AccountRule, str]] = {
    "account of root": "the account code of {root} at its {account_read_at}",
    "owner of number": "no account code on {root}: the number dialled belongs to this account",
    "account of answered child": "neither {root} nor the number dialled names an account:"
    " {leg} is the first child that answered and has one",
    "account of child": "neither {root} nor the number dialled names an account: {leg} is the first child that has one",
    "no account": "none: no leg has an account code, and the number dialled belongs to no account",
}
DIRECTION: Final[Mapping[DirectionRule, str]] = {
    "operator's variable": "the operator's direction variable of {root} says {value}",
    "stated at creation": "call_direction of {root} says {value} at its creation",
    "stated direction": "call_direction of {root} says {call_direction} at its end",
    "came in": "{root} came in from outside",
    "came in, whatever was stated at the end": "{root} came in from outside; its call_direction, {call_direction}, was"
    " written by a route: no off-net leg has the number dialled",
    "internal caller in a queue": "{root} waited in a queue and is not from outside; off-net, no leg but an agent's"
    " was answered",
    "off-net leg answered": "{maker} made the call, and it went off-net: {leg} was answered",
    "no child answered, a leg is off-net": "{maker} made the call, and it went off-net: no child answered ({legs})",
    "no off-net leg": "{maker} made the call, and no leg is off-net",
    "on-net child answered": "{maker} made the call; a child answered, and no off-net leg did",
}
FROM_NUM: Final[Mapping[FromRule, str]] = {
    "caller at creation": "the caller number of {root} at its creation",
    "caller without creation": "the caller number of {root}, whose creation was not heard",
    "caller presented to customer": "the caller number of {root}, which rang the customer first",
    "caller, nobody else rung": "the caller number of {root}: nobody else was rung",
    "number rung first": "the switch made the call: the number that {root} rang first",
}
TO_NUM: Final[Mapping[ToRule, str]] = {
    "dialled at creation": "what {root} dialled, at its creation",
    "original destination": "original_destination_number of {root}",
    "requested user": "sip_req_user of {root}",
    "last destination": "the last destination of {root}",
    "number rung": "the number that {root} rang",
    "number of other party": "the number of {leg}, the other party",
}
_FAR_END: Final = "outbound with off-net legs, so the far end's answer counts"
ANSWER: Final[Mapping[AnswerRule, str]] = {
    "root answered": "{root} was answered at {root_answered_at}",
    "root not answered": "{root} was not answered",
    "far end answered": f"{_FAR_END}, {{leg}} at {{answered_at}}",
    "far end answered before root": f"{_FAR_END}, {{leg}} at {{answered_at}};"
    " {root} was answered later, at {root_answered_at}",
    "far end not answered": f"{_FAR_END}, and none answered ({{legs}})",
}
QUEUE: Final[Mapping[QueueRule, str]] = {
    "queue of bridged agent": "cc_queue of {leg}, the last agent who spoke to the caller",
    "queue of root": "cc_queue of {root}: no agent's leg was bridged",
    "fifo of root": "{root} waited in this fifo",
    "no queue of an agent's leg": "none: {root} is itself an agent's",
    "no queue": "none: the caller waited in no queue",
}
AGENT: Final[Mapping[AgentRule, str]] = {
    "bridged agent": "cc_agent of {leg}",
    "standby agent": "cc_agent of {root}: standby agents have calls of their own",
    "member that fifo rang": "the user dialled by {leg}, which answered",
    "no bridged agent": "none: no agent spoke to the caller",
    "no member answered": "none: nobody whom the fifo rang answered",
    "no agent of an agent's leg": "none: {root} is itself an agent's",
    "no agent without a queue": "none: there is no queue",
}
BILLED_UNTIL: Final[Mapping[BilledUntilRule, str]] = {
    "root hung up": "clock seconds from answer_ts to the hangup of {root}",
    "call ended": "clock seconds from answer_ts to end_ts",
    "not answered": "0: not answered",
}
_SERVED: Final = "answered, and the caller in the queue was served"
_UNANSWERED: Final = "not answered"
DISPOSITION: Final[Mapping[DispositionRule, str]] = {
    "estimated end": "the end of {leg} is an estimate",
    "answered": "there is an answer_ts",
    "served by leg": f"{_SERVED}: {{leg}} answered",
    "served by fifo member": f"{_SERVED}: fifo_serviced_by names who did",
    "served by standby agent": f"{_SERVED}: a standby agent did",
    "not served": "answered, but nobody served the caller, who waited in a queue",
    "caller cancelled": f"{_UNANSWERED}, and {{root}} ended with ORIGINATOR_CANCEL",
    "originate_disposition": f"{_UNANSWERED}, and originate_disposition of {{root}} says"
    " {originate_disposition}: {value}",
    "last_bridge_hangup_cause": f"{_UNANSWERED}, and last_bridge_hangup_cause of {{root}} says"
    " {last_bridge_cause}: {value}",
    "Hangup-Cause": f"{_UNANSWERED}, and Hangup-Cause of {{root}} says {{cause}}: {{value}}",
}
CHARGED_NUMBER: Final[Mapping[NumberRule, str]] = {
    "dialled number": "to_num",
    "call_number": "the number its call_number says",
    "sent number": "the number sent",
    "sent number without prefix": "the number sent, less its gateway's technical prefix",
}
CHARGED_SECONDS: Final[Mapping[SecondsRule, str]] = {
    "billsec": "for billsec",
    "billsec of one conversation": "for billsec, with which it agrees to within a second",
    "answer to hangup": "from its answer to its hangup",
}


class Sentences:
    """The sentences of one call. `root` is its first leg while the root is not heard."""

    def __init__(self, call: Call, root: CallLeg) -> None:
        outcome = root.outcome
        self._call: Final = call
        self._root: Final = root
        self._of_root: Final = {
            "root": self.name(root),
            "root_answered_at": time_of_day(root.answered_us),
            "account_read_at": "end" if root.read_at_end("account") else "creation",
            "call_direction": quote(outcome.call_direction),
            "maker": "the switch" if root.origin.outbound else "a caller of our own",
            "originate_disposition": quote(outcome.originate_disposition),
            "last_bridge_cause": quote(outcome.last_bridge_cause),
            "cause": quote(outcome.cause),
        }

    def number(self, leg: CallLeg) -> int:
        """Return the number by which people are shown a leg; the first is 1."""
        return 1 + next(index for index, other in enumerate(self._call.legs) if other is leg)

    def name(self, *legs: CallLeg) -> str:
        """Name legs by their numbers, and the root as such. A leg of another call has no number here."""
        return ", ".join(map(self._name, legs))

    def _name(self, leg: CallLeg) -> str:
        if not any(leg is other for other in self._call.legs):
            return "a leg of another call"
        return f"leg {self.number(leg)}{' (root)' if leg is self._call.root else ''}"

    def of(self, table: Mapping[Rule, str], decision: Decision[Value, Rule]) -> str:
        """Return the sentence for what was decided."""
        legs = decision.legs or (self._root,)
        leg = legs[0]
        stated = leg.outcome.details
        return table[decision.rule].format(
            **self._of_root,
            leg=self.name(leg),
            legs=self.name(*legs),
            answered_at=time_of_day(leg.answered_us),
            rang_at=time_of_day(rang_us(leg)),
            said=quote(stated.hangup_disposition if stated else None),
            packets_in=stated.packets_in if stated else 0,
            value=decision.value,
        )

    def of_charge(self, decided: DecidedCharge) -> str:
        """Return the sentence for what a call is charged for."""
        number, seconds = CHARGED_NUMBER[decided.number_rule], CHARGED_SECONDS[decided.seconds_rule]
        what = "the call itself" if decided.leg is None else f"{self.name(decided.leg)} is off-net"
        return f"{what}: {number}, {seconds}"


def time_of_day(us: int) -> str:
    """Write the time of day, UTC, of epoch µs, to the millisecond below."""
    # Integers: a float of microseconds is off by one now and then.
    seconds, rest = divmod(us, 1_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%H:%M:%S}.{rest // 1000:03}"


def quote(value: object) -> str:
    """Write a value that a caller may have chosen: cut short, and `nothing` when empty."""
    text = "nothing" if value is None or value == "" else str(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
