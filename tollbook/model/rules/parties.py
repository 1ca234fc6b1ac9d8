"""Who pays for a call, who called, and what was dialled."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.numbers import number_of, owner_of
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.queue import is_agents
from tollbook.model.trunks import Arrival

AccountRule: TypeAlias = Literal[
    "account of root", "owner of number", "account of answered child", "account of child", "no account"
]
FromRule: TypeAlias = Literal[
    "caller at creation",
    "caller without creation",
    "caller presented to customer",
    "caller, nobody else rung",
    "number rung first",
]
ToRule: TypeAlias = Literal[
    "dialled at creation",
    "original destination",
    "requested user",
    "last destination",
    "number rung",
    "number of other party",
]

_NO_ACCOUNT: Final[Decision[str | None, AccountRule]] = Decision(None, "no account")


def decide_account(
    root: CallLeg, children: Sequence[CallLeg], to_num: str, owners: Mapping[str, str], arrival: Arrival
) -> Decision[str | None, AccountRule]:
    """Decide who pays: the root's account, the owner of the number, the first child that answered, any child.

    The owner pays for who calls the number: for calls from outside and from on-net peers, and not for an originate
    that rings it.
    """
    if root.outcome.account:
        return Decision(root.outcome.account, "account of root")
    owner = owner_of(to_num, owners) if arrival in ("outside", "on-net peer") else None
    if owner:
        return Decision(owner, "owner of number")
    with_account = [leg for leg in children if leg.outcome.account]
    for leg in with_account:
        if leg.answered_us:
            return Decision(leg.outcome.account, "account of answered child", (leg,))
    if with_account:
        return Decision(with_account[0].outcome.account, "account of child", (with_account[0],))
    return _NO_ACCOUNT


def decide_numbers(
    root: CallLeg, children: Sequence[CallLeg], off_net: Sequence[CallLeg]
) -> tuple[Decision[str, FromRule], Decision[str, ToRule]]:
    """Decide from_num and to_num: who called, and what was dialled, never what a transfer put there.

    `off_net`: the call's off-net legs, root included.
    """
    if not root.origin.outbound:
        if root.heard_create:
            return Decision(_caller(root), "caller at creation"), Decision(root.sent_number, "dialled at creation")
        return Decision(_caller(root), "caller without creation"), _dialled_without_creation(root)
    # An API originate rings one party first and connects it to the other.
    rung = root.sent_number
    other = _other_party(children)
    if _is_one_of(root, off_net) and (other is None or not _is_one_of(other, off_net)):
        return Decision(_caller(root), "caller presented to customer"), Decision(rung, "number rung")
    if other is not None and other.sent_number:
        return Decision(rung, "number rung first"), Decision(other.sent_number, "number of other party", (other,))
    last = number_of(root.outcome.dialed)
    if last and last != rung:
        return Decision(rung, "number rung first"), Decision(last, "last destination")
    return Decision(_caller(root), "caller, nobody else rung"), Decision(rung, "number rung")


def _other_party(children: Sequence[CallLeg]) -> CallLeg | None:
    """Return whom an originate connects with who was rung first: of several the first who answered, else the first.

    No channel of the switch's own is one, and no agent or fifo member: who calls them has called the queue.
    """
    parties = [leg for leg in children if leg.origin.module not in ("loopback", "pickup") and not is_agents(leg)]
    return next((leg for leg in parties if leg.answered_us), parties[0] if parties else None)


def _is_one_of(leg: CallLeg, legs: Sequence[CallLeg]) -> bool:
    return any(leg is other for other in legs)


def _caller(root: CallLeg) -> str:
    # At its end a leg's caller number can be one that it was made to present. Its ANI stays what it came with.
    return number_of(root.origin.caller if root.heard_create else root.origin.ani or root.origin.caller)


def _dialled_without_creation(root: CallLeg) -> Decision[str, ToRule]:
    if root.origin.original_dialed:
        return Decision(number_of(root.origin.original_dialed), "original destination")
    if root.origin.req_user:
        return Decision(number_of(root.origin.req_user), "requested user")
    return Decision(number_of(root.origin.dialed), "last destination")
