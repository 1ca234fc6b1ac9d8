"""The trunk that a call took, and how its carrier refused it."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.quality import decide_mos
from tollbook.model.rules.details.ringing import own_delay_ms
from tollbook.model.trunk_leg import TrunkLeg

GatewayRule: TypeAlias = Literal["first answered trunk leg", "last trunk leg", "no trunk leg"]
StatusRule: TypeAlias = Literal["status of last trunk leg", "a trunk leg answered", "no trunk leg"]

_NO_GATEWAY: Final[Decision[str | None, GatewayRule]] = Decision(None, "no trunk leg")
_NO_STATUS: Final[Decision[int | None, StatusRule]] = Decision(None, "no trunk leg")
_ANSWERED: Final[Decision[int | None, StatusRule]] = Decision(None, "a trunk leg answered")


def trunk_legs(legs: Sequence[CallLeg], off_net: Sequence[CallLeg]) -> list[CallLeg]:
    """Return the trunk legs of a call, in the order of its legs.

    A trunk leg is off-net, or was sent to a gateway, which may lead to a switch of our own.
    """
    return [
        leg for leg in legs if leg.origin.outbound and (leg.origin.gateway or any(leg is other for other in off_net))
    ]


def figures_of(trunk: Sequence[CallLeg]) -> tuple[TrunkLeg, ...]:
    """Return the figures of trunk legs, in their order."""
    return tuple(
        [
            TrunkLeg(leg.origin.gateway or None, 1 if leg.answered_us else 0, own_delay_ms(leg), decide_mos(leg).value)
            for leg in trunk
        ]
    )


def decide_trunk(
    trunk: Sequence[CallLeg],
) -> tuple[Decision[str | None, GatewayRule], Decision[int | None, StatusRule]]:
    """Decide gateway and sip_status: of the first trunk leg that answered, else of the one that was tried last.

    `trunk`: oldest first.
    """
    if not trunk:
        return _NO_GATEWAY, _NO_STATUS
    if answered := [leg for leg in trunk if leg.answered_us]:
        first = answered[0] if len(answered) == 1 else min(answered, key=lambda leg: (leg.answered_us, leg.uid))
        return Decision(first.origin.gateway or None, "first answered trunk leg", (first,)), _ANSWERED
    last = trunk[-1]
    details = last.outcome.details
    status = details.failure_status if details is not None else 0
    return (
        Decision(last.origin.gateway or None, "last trunk leg", (last,)),
        Decision(status or None, "status of last trunk leg", (last,)),
    )
