"""What an answered call is charged for: docs/calls.md, "What is charged"."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from tollbook.model.call_leg import CallLeg
from tollbook.model.charge import Charge
from tollbook.model.numbers import number_of
from tollbook.model.trunks import TrunkRules
from tollbook.model.vocabulary import Direction

NumberRule: TypeAlias = Literal["dialled number", "call_number", "sent number", "sent number without prefix"]
SecondsRule: TypeAlias = Literal["billsec", "billsec of one conversation", "answer to hangup"]

# How far an off-net leg's answer and hangup may lie from the call's for the two to be one conversation.
_SAME_CONVERSATION_US: Final = 1_000_000


class DecidedCharge(msgspec.Struct, frozen=True, gc=False):
    """A charge, the leg that it pays (None: the call itself), and the rules that gave its number and its seconds."""

    charge: Charge
    leg: CallLeg | None
    number_rule: NumberRule
    seconds_rule: SecondsRule


def clock_seconds(start_us: int, end_us: int) -> int:
    """Count seconds as FreeSWITCH counts `duration` and `billsec`: whole clock seconds apart, never below 0."""
    return max(0, end_us // 1_000_000 - start_us // 1_000_000)


def decide_charges(
    direction: Direction,
    to_num: str,
    billsec: int,
    off_net: Sequence[CallLeg],
    trunk_rules: TrunkRules,
    *,
    answer_us: int,
    billed_until_us: int,
) -> tuple[DecidedCharge, ...]:
    """Decide what a call is charged for: the call itself first, then its answered off-net legs in order.

    `billsec` counts from `answer_us` to `billed_until_us`. An unanswered call (`answer_us` 0) is charged for nothing.
    """
    if not answer_us:
        return ()
    charges: list[DecidedCharge] = []
    if direction != "outbound" or not off_net:
        itself = Charge(direction=direction, number=to_num, seconds=billsec)
        charges.append(DecidedCharge(itself, None, "dialled number", "billsec"))
    answered = [leg for leg in off_net if leg.answered_us]
    for leg in answered:
        number, number_rule = _charged_number(leg, trunk_rules)
        hangup_us = leg.outcome.hangup_us
        if (
            len(answered) == 1
            and abs(leg.answered_us - answer_us) <= _SAME_CONVERSATION_US
            and abs(hangup_us - billed_until_us) <= _SAME_CONVERSATION_US
        ):
            charge = Charge(direction="outbound", number=number, seconds=billsec)
            charges.append(DecidedCharge(charge, leg, number_rule, "billsec of one conversation"))
        else:
            charge = Charge(direction="outbound", number=number, seconds=clock_seconds(leg.answered_us, hangup_us))
            charges.append(DecidedCharge(charge, leg, number_rule, "answer to hangup"))
    return tuple(charges)


def _charged_number(leg: CallLeg, trunk_rules: TrunkRules) -> tuple[str, NumberRule]:
    stated = leg.origin.call_number or leg.outcome.call_number
    if stated:
        return number_of(stated), "call_number"
    sent = leg.sent_number
    number = trunk_rules.without_technical_prefix(leg.origin.gateway, sent)
    return number, "sent number" if number == sent else "sent number without prefix"
