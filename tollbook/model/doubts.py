"""Doubts: what a finished call may have cost the operator and bills nobody, each with the setting that settles it.

A doubt changes no row and no price. The rules of docs/calls.md cannot tell a carrier from a colleague by an address
alone, so calls that they may have taken for free are named to operators: `tollbook doctor`, the metrics, the dashboard.
"""

from typing import Final, Literal, TypeAlias

import msgspec

DoubtKind: TypeAlias = Literal["short_number", "user_abroad", "transit", "unconfirmed", "outcall", "no_numbering"]

#: For each kind what happened, and what helps. `{name}`: the host, gateway or account in doubt.
EXPLAINED: Final[dict[DoubtKind, tuple[str, str]]] = {
    "short_number": (
        "answered legs to short numbers at the host {name}, which is in neither list: free, as extensions are",
        "name {name} in TOLLBOOK_TRUNKS if it is a carrier's, in TOLLBOOK_ONNET if it is yours",
    ),
    "user_abroad": (
        "answered legs that a user's dial string led to another number at {name}: free, as the user's phone is",
        "name {name} in TOLLBOOK_TRUNKS if it is a carrier's, in TOLLBOOK_ONNET if it is yours",
    ),
    "transit": (
        "calls from {name}, which is in neither list, that went on to the outside as outbound",
        "name {name} in TOLLBOOK_ONNET if it is a customer let in by address, so that its own numbers name the payer",
    ),
    "unconfirmed": (
        "answered legs over {name} in calls that count as unanswered, so that they cost nothing",
        "somebody picked up and did not confirm (group_confirm_key), or the caller had gone: the carrier charges it",
    ),
    "outcall": (
        "answered calls over {name} that a conference made, without an account",
        "set conference_auto_outcall_prefix={{cdr_parent=${{uuid}}}} where the conference calls out",
    ),
    "no_numbering": (
        "numbers without a country code that the account {name} dialled, compared digit by digit: 112 as +1 12",
        "say how it dials: `tollbook account numbering {name} GB`, or the plan of its country",
    ),
}


class Doubt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One doubt about a call. `name`: the host, gateway or account that a setting has to name."""

    kind: DoubtKind
    name: str
