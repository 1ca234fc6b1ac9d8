"""Which way a call went."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.numbers import same_line
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.queue import is_agents, waits_in_queue
from tollbook.model.trunks import Arrival
from tollbook.model.vocabulary import Direction

DirectionRule: TypeAlias = Literal[
    "operator's variable",
    "stated at creation",
    "stated direction",
    "came in",
    "came in, whatever was stated at the end",
    "internal caller in a queue",
    "off-net leg answered",
    "no child answered, a leg is off-net",
    "no off-net leg",
    "on-net child answered",
]

# FusionPBX states `local`.
_WORDS: Final[Mapping[str, Direction]] = {
    "inbound": "inbound",
    "outbound": "outbound",
    "internal": "internal",
    "local": "internal",
}
_CAME_IN: Final[Decision[Direction, DirectionRule]] = Decision("inbound", "came in")
_CAME_IN_WHATEVER: Final[Decision[Direction, DirectionRule]] = Decision(
    "inbound", "came in, whatever was stated at the end"
)
_IN_A_QUEUE: Final[Decision[Direction, DirectionRule]] = Decision("internal", "internal caller in a queue")
_NO_OFF_NET_LEG: Final[Decision[Direction, DirectionRule]] = Decision("internal", "no off-net leg")
_ON_NET_CHILD_ANSWERED: Final[Decision[Direction, DirectionRule]] = Decision("internal", "on-net child answered")


def decide_direction(
    root: CallLeg, children: Sequence[CallLeg], off_net: Sequence[CallLeg], arrival: Arrival, to_num: str
) -> Decision[Direction, DirectionRule]:
    """Decide which way the call went; before its end, the best guess. `off_net`: its off-net legs, root included."""
    stated = _stated(root, off_net, arrival, to_num)
    if stated is not None:
        return stated
    if arrival == "outside":
        return _CAME_IN_WHATEVER if root.outcome.call_direction.lower() in _WORDS else _CAME_IN
    if not root.origin.outbound and waits_in_queue(root):
        # Agents and fifo members are the queue's, wherever their phones are.
        off_net = [leg for leg in off_net if leg.answered_us and not is_agents(leg)]
        if not off_net:
            return _IN_A_QUEUE
    if not off_net:
        return _NO_OFF_NET_LEG
    for leg in off_net:
        if leg.answered_us:
            return Decision("outbound", "off-net leg answered", (leg,))
    for leg in children:
        if leg.answered_us:
            return _ON_NET_CHILD_ANSWERED
    return Decision("outbound", "no child answered, a leg is off-net", tuple(off_net))


def _stated(
    root: CallLeg, off_net: Sequence[CallLeg], arrival: Arrival, to_num: str
) -> Decision[Direction, DirectionRule] | None:
    """Return the direction that a variable of the root states, unless a dialplan is known to write it over."""
    begun, outcome = root.begun_with, root.outcome
    word = outcome.cdr_direction.lower()
    if word in _WORDS:
        return Decision(_WORDS[word], "operator's variable")
    if begun is not None and begun.call_direction.lower() in _WORDS:
        return Decision(_WORDS[begun.call_direction.lower()], "stated at creation")
    word = outcome.call_direction.lower()
    return Decision(_WORDS[word], "stated direction") if _counts(word, off_net, arrival, to_num) else None


def _counts(word: str, off_net: Sequence[CallLeg], arrival: Arrival, to_num: str) -> bool:
    """Whether a direction that is stated at the end is the call's. FusionPBX's routes export theirs over any call."""
    if arrival == "outside":
        if word == "outbound":
            # A customer let in by address, whose call goes on to the number that he dialled.
            return any(same_line(to_num, leg.sent_number) for leg in off_net)
        return word in _WORDS and word != "local"
    if arrival in ("directory user", "this switch"):
        return word in _WORDS and word != "inbound"
    return word in _WORDS
