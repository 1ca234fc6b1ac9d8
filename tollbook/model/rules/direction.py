"""Which way a call went."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_tree import CallLeg
from tollbook.model.rules.decision import Decision
from tollbook.model.vocabulary import Direction

DirectionRule: TypeAlias = Literal[
    "stated direction",
    "came in",
    "off-net leg answered",
    "no child answered, a leg is off-net",
    "no off-net leg",
    "on-net child answered",
]

# FusionPBX states `local`.
_STATED: Final[Mapping[str, Decision[Direction, DirectionRule]]] = {
    "inbound": Decision("inbound", "stated direction"),
    "outbound": Decision("outbound", "stated direction"),
    "internal": Decision("internal", "stated direction"),
    "local": Decision("internal", "stated direction"),
}
_CAME_IN: Final[Decision[Direction, DirectionRule]] = Decision("inbound", "came in")
_NO_OFF_NET_LEG: Final[Decision[Direction, DirectionRule]] = Decision("internal", "no off-net leg")
_ON_NET_CHILD_ANSWERED: Final[Decision[Direction, DirectionRule]] = Decision("internal", "on-net child answered")


def decide_direction(
    root: CallLeg, children: Sequence[CallLeg], off_net: Sequence[CallLeg]
) -> Decision[Direction, DirectionRule]:
    """Decide which way the call went; before its end, the best guess. `off_net`: its off-net legs, root included."""
    if root.outcome.call_direction:
        stated = _STATED.get(root.outcome.call_direction.lower())
        if stated is not None:
            return stated
    if not root.origin.outbound and not root.origin.user:
        return _CAME_IN
    if not off_net:
        return _NO_OFF_NET_LEG
    for leg in off_net:
        if leg.answered_us:
            return Decision("outbound", "off-net leg answered", (leg,))
    for leg in children:
        if leg.answered_us:
            return _ON_NET_CHILD_ANSWERED
    return Decision("outbound", "no child answered, a leg is off-net", tuple(off_net))
