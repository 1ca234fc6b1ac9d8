"""Which calls may have cost the operator what nobody is billed for: docs/calls.md, "What may be free by mistake"."""

from collections.abc import Sequence

from tollbook.model.call_leg import CallLeg
from tollbook.model.doubts import Doubt
from tollbook.model.leg import Facts
from tollbook.model.numbers import number_of, same_line
from tollbook.model.trunks import Arrival, TrunkRules
from tollbook.model.vocabulary import Direction


def find_doubts(
    root: CallLeg,
    legs: Sequence[CallLeg],
    off_net: Sequence[CallLeg],
    trunk_rules: TrunkRules,
    *,
    direction: Direction,
    arrival: Arrival,
    account_id: str | None,
    answered: bool,
) -> tuple[Doubt, ...]:
    """Return the doubts about a finished call, each once, in the order of its legs."""
    # A dict, because the same host may be dialled by many legs, and the order of a set is no order.
    doubts: dict[Doubt, None] = {}
    for leg in legs:
        facts = leg.origin
        if facts.outbound and leg.answered_us and not facts.gateway and facts.host:
            kind = trunk_rules.doubt(facts)
            if kind == "short_number" or (kind == "user_abroad" and not same_line(facts.dialed, facts.dialed_user)):
                doubts[Doubt(kind, facts.host)] = None
    for leg in () if answered else off_net:
        if leg.answered_us:
            doubts[Doubt("unconfirmed", _trunk(leg.origin))] = None
    if answered and direction == "outbound":
        if arrival == "outside" and not trunk_rules.is_listed(root.origin):
            doubts[Doubt("transit", root.origin.source_gateway or root.origin.source_ip)] = None
        if account_id is None and root.origin.outbound and root.outcome.last_app == "conference":
            doubts[Doubt("outcall", _trunk(root.origin))] = None
    return tuple(doubts)


def _trunk(facts: Facts) -> str:
    return facts.gateway or facts.host or number_of(facts.channel)
