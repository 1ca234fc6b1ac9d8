"""The fold: a call's legs become its row. Every rule stands in docs/calls.md under the column's name.

The row is a function of the facts alone. No clock, no order of arrival and no earlier row is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tollbook.model.call_tree import Call, CallLeg
from tollbook.model.causes import telling_cause, unanswered_disposition
from tollbook.model.charge import Charge
from tollbook.model.numbers import owner_key
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import Direction, Disposition

_STATED_DIRECTIONS: Final[Mapping[str, Direction]] = {
    "inbound": "inbound",
    "outbound": "outbound",
    "internal": "internal",
    "local": "internal",
}

# How far an off-net leg's answer and hangup may lie from the call's for the two to be one conversation.
_SAME_CONVERSATION_US = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FoldSettings:
    """What the operator configures and no event states: the trunk rules, and the accounts that own numbers."""

    trunk_rules: TrunkRules = field(default_factory=TrunkRules)
    number_owners: Mapping[str, str] = field(default_factory=dict[str, str])
    """Keyed as `owner_key` writes a number."""

    def owner_of(self, number: str) -> str | None:
        """Return the account that owns a dialled number, however it was written."""
        return self.number_owners.get(owner_key(number)) if self.number_owners else None


def clock_seconds(start_us: int, end_us: int) -> int:
    """Count seconds as FreeSWITCH counts `duration` and `billsec`: whole clock seconds apart, never below 0."""
    return max(0, end_us // 1_000_000 - start_us // 1_000_000)


def fold(call: Call, settings: FoldSettings, switch: str) -> Row:
    """Compute the row of a call. What is set only at its end is None while any leg is up."""
    root = call.root or call.legs[0]
    off_net = tuple(leg for leg in call.legs if settings.trunk_rules.off_net(leg.origin))
    children = tuple(leg for leg in call.legs if leg is not root)
    direction = direction_of(root, children, off_net)
    from_num, to_num = numbers_of(root, children)
    answer_us = answer_of(root, direction, off_net)
    queue_id, agent_id, standby = service_of(root, children)

    end_us = disposition = hangup_cause = billsec = duration = parts = None
    if call.complete:
        end_us = max(leg.end.hangup_us for leg in call.legs if leg.end)
        duration = clock_seconds(call.start_us, end_us)
        hangup_cause = root.outcome.cause or None
        billed_until_us = root.outcome.hangup_us if direction == "inbound" else end_us
        billsec = clock_seconds(answer_us, billed_until_us) if answer_us else 0
        last = max(call.legs, key=lambda leg: leg.end.hangup_us if leg.end else 0)
        # A leg that was lost inside a call whose end the switch did tell makes no lost call.
        lost = root.estimated or last.estimated
        disposition = "lost" if lost else disposition_of(root, call.legs, children, answer_us, queue_id, standby)
        parts = charges_of(direction, to_num, billsec, off_net, (answer_us, billed_until_us), settings.trunk_rules)
    return Row(
        switch=switch,
        call_id=call.call_id,
        account_id=account_of(root, children, to_num, settings),
        direction=direction,
        from_num=from_num,
        to_num=to_num,
        start_ts=call.start_us // 1000,
        answer_ts=answer_us // 1000 if answer_us else None,
        end_ts=None if end_us is None else end_us // 1000,
        duration_sec=duration,
        billsec=billsec,
        answered=1 if answer_us else 0,
        disposition=disposition,
        hangup_cause=hangup_cause,
        queue_id=queue_id,
        agent_id=agent_id,
        estimated=any(leg.estimated for leg in call.legs),
        parts=parts,
    )


def account_of(root: CallLeg, children: tuple[CallLeg, ...], to_num: str, settings: FoldSettings) -> str | None:
    """Find who pays: the root's account, the number's owner, the child that answered, any child."""
    own = root.outcome.account or settings.owner_of(to_num)
    if own:
        return own
    child = paying_child(children)
    return child.outcome.account if child else None


def paying_child(children: tuple[CallLeg, ...]) -> CallLeg | None:
    """Find the child whose account counts: the first that answered and has one, else the first that has one."""
    answered_first = sorted(children, key=lambda leg: not leg.answered_us)
    return next((leg for leg in answered_first if leg.outcome.account), None)


def direction_of(root: CallLeg, children: tuple[CallLeg, ...], off_net: tuple[CallLeg, ...]) -> Direction:
    """Say which way the call went: inbound, outbound or internal."""
    said = stated_direction(root)
    if said:
        return said
    if not root.origin.outbound and not root.origin.user:
        return "inbound"
    if any(leg.answered_us for leg in off_net):
        return "outbound"
    if off_net and not any(leg.answered_us for leg in children):
        return "outbound"
    return "internal"


def stated_direction(root: CallLeg) -> Direction | None:
    """Give the direction that the operator's variable `call_direction` states, None when it states none."""
    return _STATED_DIRECTIONS.get(root.outcome.call_direction.lower())


def numbers_of(root: CallLeg, children: tuple[CallLeg, ...]) -> tuple[str, str]:
    """Give (from_num, to_num): who called, and what was dialled, never what a transfer put there."""
    origin = root.origin
    # At its end a leg's caller number may be one it was made to present; its ANI stays what it came with.
    caller = origin.caller if root.heard_create else origin.ani or origin.caller
    if not origin.outbound:
        if root.heard_create:
            return caller, origin.dialed
        return caller, origin.original_dialed or origin.req_user or origin.dialed
    # An API originate rings one party first and connects it to the other.
    rung = root.sent_number
    other = next((leg.sent_number for leg in children if not leg.origin.loopback), "")
    last = root.outcome.dialed
    if not other and last != rung:
        other = last
    return (rung, other) if other else (caller, rung)


def answer_of(root: CallLeg, direction: Direction, off_net: tuple[CallLeg, ...]) -> int:
    """Find when the conversation began, epoch µs, 0 if it never did. Outbound, the far end's answer counts."""
    if direction != "outbound" or not off_net:
        return root.answered_us
    answers = [leg.answered_us for leg in off_net if leg.answered_us]
    return max(root.answered_us, min(answers)) if answers else 0


def service_of(root: CallLeg, children: tuple[CallLeg, ...]) -> tuple[str | None, str | None, bool]:
    """Give (queue, agent, served by a standby agent) of a call that waited in mod_callcenter or mod_fifo."""
    said = root.outcome
    agents = [leg for leg in children if leg.outcome.cc_side == "agent"]
    bridged = [leg for leg in agents if is_bridged_agent(leg)]
    if bridged:
        return bridged[-1].outcome.cc_queue or None, bridged[-1].outcome.cc_agent or None, False
    if said.cc_side == "agent":
        return None, None, False
    if said.cc_queue:
        standby = not agents and (said.cc_agent_bridged or said.cc_cause == "answered")
        return said.cc_queue, (said.cc_agent or None) if standby else None, standby
    if said.last_app == "fifo" and " in" in said.last_arg:
        answered = next((leg for leg in children if answered_fifo(leg)), None)
        return said.last_arg.split()[0], (answered.origin.dialed_user or None) if answered else None, False
    return None, None, False


def is_bridged_agent(leg: CallLeg) -> bool:
    """Tell whether a leg is that of a mod_callcenter agent who spoke to the caller."""
    return leg.outcome.cc_side == "agent" and bool(leg.answered_us) and leg.outcome.cc_agent_bridged


def answered_fifo(leg: CallLeg) -> bool:
    """Tell whether a leg is that of somebody whom mod_fifo rang for the caller, and who answered."""
    return bool(leg.answered_us and leg.origin.fifo_bridge)


def disposition_of(
    root: CallLeg,
    legs: tuple[CallLeg, ...],
    children: tuple[CallLeg, ...],
    answer_us: int,
    queue_id: str | None,
    standby: bool,
) -> Disposition:
    """Say what became of a call that has ended."""
    said = root.outcome
    if answer_us:
        served = standby or said.fifo_serviced_by or any(serves(leg) for leg in children)
        return "abandoned" if queue_id and not served else "answered"
    if said.cause == "ORIGINATOR_CANCEL":
        return "cancelled"
    return unanswered_disposition(cause_of(root), rang=any(leg.outcome.progress_us for leg in legs))


def cause_of(root: CallLeg) -> str:
    """Give the cause that tells best why a call was not answered."""
    said = root.outcome
    return telling_cause(said.originate_disposition, said.last_bridge_cause, said.cause)


def serves(leg: CallLeg) -> bool:
    """Tell whether whoever answered this child served a caller who waited in a queue."""
    if leg.origin.loopback or not leg.answered_us:
        return False
    return leg.outcome.cc_agent_bridged if leg.outcome.cc_side == "agent" else True


def charges_of(
    direction: Direction,
    to_num: str,
    billsec: int,
    off_net: tuple[CallLeg, ...],
    billed_us: tuple[int, int],
    trunk_rules: TrunkRules,
) -> tuple[Charge, ...]:
    """List what an answered call is charged for; nothing when unanswered. `billed_us`: (answer, end of billsec)."""
    answer_us, until_us = billed_us
    if not answer_us:
        return ()
    parts: list[Charge] = []
    if direction != "outbound" or not off_net:
        parts.append(Charge(direction=direction, number=to_num, seconds=billsec))
    answered = [leg for leg in off_net if leg.answered_us]
    for leg in answered:
        hangup_us = leg.outcome.hangup_us
        one_conversation = (
            len(answered) == 1
            and abs(leg.answered_us - answer_us) <= _SAME_CONVERSATION_US
            and abs(hangup_us - until_us) <= _SAME_CONVERSATION_US
        )
        parts.append(
            Charge(
                direction="outbound",
                number=leg.origin.call_number
                or leg.outcome.call_number
                or trunk_rules.billed_number(leg.origin.gateway, leg.sent_number),
                seconds=billsec if one_conversation else clock_seconds(leg.answered_us, hangup_us),
            )
        )
    return tuple(parts)
