"""The fold: a call's legs become its row. docs/calls.md has every rule under the column's name.

The row is a function of the facts alone. No clock, no order of arrival and no earlier row has a part in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call
from tollbook.model.details import NO_DETAILS
from tollbook.model.doubts import Doubt
from tollbook.model.record import Row
from tollbook.model.rules.answer import AnswerRule, decide_answer
from tollbook.model.rules.charges import DecidedCharge, clock_seconds, decide_charges
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.decide import DecidedDetails, decide_details
from tollbook.model.rules.details.trunk import figures_of, trunk_legs
from tollbook.model.rules.direction import DirectionRule, decide_direction
from tollbook.model.rules.doubts import find_doubts
from tollbook.model.rules.ending import (
    BilledUntilRule,
    DispositionRule,
    decide_billed_until,
    decide_disposition,
    last_to_hang_up,
)
from tollbook.model.rules.parties import AccountRule, FromRule, ToRule, decide_account, decide_numbers
from tollbook.model.rules.queue import AgentRule, QueueRule, decide_queue
from tollbook.model.trunk_leg import TrunkLeg
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import Direction, Disposition


@dataclass(frozen=True, kw_only=True)
class FoldSettings:
    """What the operator configures and no event states: the trunk rules, and the accounts that own numbers.

    `number_owners` is keyed by `tollbook.model.numbers.owner_key`.
    """

    trunk_rules: TrunkRules = field(default_factory=TrunkRules)
    number_owners: Mapping[str, str] = field(default_factory=dict[str, str])


class Ending(msgspec.Struct, frozen=True, gc=False):
    """What is decided when the last leg has ended. `last` is that leg: it dates the end of the call."""

    last: CallLeg
    billed_until: Decision[int, BilledUntilRule]
    billsec: int
    disposition: Decision[Disposition, DispositionRule]
    charges: tuple[DecidedCharge, ...]
    doubts: tuple[Doubt, ...]
    details: DecidedDetails
    trunk_legs: tuple[TrunkLeg, ...]


class Decisions(msgspec.Struct, frozen=True, gc=False):
    """All that the rules decide about a call, each value with its rule and its legs. `ending` is None while it is up.

    `root` is its first leg while the root is not heard; `trunk_root` as of the row. `answer` is epoch µs, 0 when not
    answered.
    """

    root: CallLeg
    trunk_root: bool
    account: Decision[str | None, AccountRule]
    direction: Decision[Direction, DirectionRule]
    from_num: Decision[str, FromRule]
    to_num: Decision[str, ToRule]
    answer: Decision[int, AnswerRule]
    queue: Decision[str | None, QueueRule]
    agent: Decision[str | None, AgentRule]
    ending: Ending | None


def fold(call: Call, settings: FoldSettings, switch: str, bridged_last: CallLeg | None = None) -> Row:
    """Compute the row of a call. What is set only at its end is None while any leg is up.

    `bridged_last`: the leg of another call that the call's last leg talked with, if there is one.
    """
    return row_of(call, decide(call, settings, bridged_last), switch)


def decide(call: Call, settings: FoldSettings, bridged_last: CallLeg | None = None) -> Decisions:
    """Apply the rules to a call: `fold` makes the row of what they decide, and `explain` the sentences."""
    root = call.root or call.legs[0]
    trunk_rules = settings.trunk_rules
    children = [leg for leg in call.legs if leg is not root]
    off_net = [leg for leg in call.legs if trunk_rules.verdict(leg.origin)[0]]
    arrival = trunk_rules.arrival(root.origin)
    from_num, to_num = decide_numbers(root, children, off_net)
    direction = decide_direction(root, children, off_net, arrival, to_num.value)
    answer = decide_answer(root, direction.value, off_net)
    queue, agent = decide_queue(root, children)
    account = decide_account(root, children, to_num.value, settings.number_owners, arrival)
    ending = None
    if call.complete:
        answered = bool(answer.value)
        last = last_to_hang_up(call.dating_legs)
        billed_until = decide_billed_until(root, last, direction.value, answered=answered)
        billsec = clock_seconds(answer.value, billed_until.value)
        trunk = trunk_legs(call.legs, off_net)
        ending = Ending(
            last,
            billed_until,
            billsec,
            decide_disposition(
                root,
                call.legs,
                children,
                last=last,
                answered=answered,
                queue_id=queue.value,
                agent_rule=agent.rule,
            ),
            decide_charges(
                direction.value,
                to_num.value,
                billsec,
                off_net,
                trunk_rules,
                answer_us=answer.value,
                billed_until_us=billed_until.value,
            ),
            find_doubts(
                root,
                call.legs,
                off_net,
                trunk_rules,
                direction=direction.value,
                arrival=arrival,
                account_id=account.value,
                answered=answered,
            ),
            decide_details(root, call.legs, children, trunk, bridged_last, agent=agent, answered=answered),
            figures_of(trunk),
        )
    # Of an originate also where the rules do not call it off-net: nothing says that a short number is a phone of ours.
    trunk_root = arrival == "outside" or (root.origin.outbound and not trunk_rules.is_phone(root.origin))
    return Decisions(root, trunk_root, account, direction, from_num, to_num, answer, queue, agent, ending)


def row_of(call: Call, decisions: Decisions, switch: str) -> Row:
    """Make the row of a call from what was decided about it."""
    ending = decisions.ending
    start_us, answer_us = call.start_us, decisions.answer.value
    end_us = duration = billsec = disposition = hangup_cause = parts = None
    if ending is not None:
        end_us = ending.last.outcome.hangup_us
        duration = clock_seconds(start_us, end_us)
        billsec = ending.billsec
        disposition = ending.disposition.value
        hangup_cause = decisions.root.outcome.cause or None
        # A list: half the time of a generator, for every call.
        parts = tuple([decided.charge for decided in ending.charges])
    return Row(
        switch=switch,
        call_id=call.call_id,
        account_id=decisions.account.value,
        direction=decisions.direction.value,
        from_num=decisions.from_num.value,
        to_num=decisions.to_num.value,
        start_ts=start_us // 1000,
        answer_ts=answer_us // 1000 if answer_us else None,
        end_ts=None if end_us is None else end_us // 1000,
        duration_sec=duration,
        billsec=billsec,
        answered=1 if answer_us else 0,
        disposition=disposition,
        hangup_cause=hangup_cause,
        queue_id=decisions.queue.value,
        agent_id=decisions.agent.value,
        estimated=call.estimated,
        parts=parts,
        doubts=ending.doubts if ending is not None else (),
        details=ending.details.values() if ending is not None else NO_DETAILS,
        trunk_root=decisions.trunk_root,
        trunk_legs=ending.trunk_legs if ending is not None else (),
        billed_elsewhere=decisions.root.origin.billed_elsewhere,
    )
