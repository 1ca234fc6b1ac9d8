"""What settles a call without a price: of each reason that the engine gives, what happened and what helps."""

import re
import shlex
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tollbook.model.charge import BILLED_ELSEWHERE, UNKNOWN_REASON

RemedyKind: TypeAlias = Literal[
    "no_account", "unknown_account", "no_plan", "plan_begins_later", "no_rate", "rate_begins_later", "unread_number",
    "too_large", "imported", "unknown",
]  # fmt: skip

#: Ends what helps where calls have to be priced once more.
RERATE: Final = "then `tollbook rerate --unrated`"

# Whole, or cut off where the number goes on: `tollbook/store/calls/unrated.py` groups by how numbers begin.
_NO_RATE: Final = re.compile(
    r"no rate for (?P<what>\w+ (?:short code )?\S*?)"
    r"(?:: the first that matches begins (?P<begins>.+?), after the call)?"
)
_UNREAD: Final = re.compile(r"(?P<why>.+): \w+ \S*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """Why calls have no price: its kind, what happened, and the command or setting that helps. For operators."""

    kind: RemedyKind
    what: str
    helps: str


def remedy(reason: str, account_id: str | None) -> Remedy:
    """Return what settles calls of an account that are unrated for a reason; of several reasons, the first."""
    first = reason.split("; ", 1)[0]
    account = shlex.quote(account_id or "ACCOUNT")
    match first:
        case "the call has no account":
            return Remedy(
                kind="no_account",
                what="the call has no account: nobody is billed for it",
                helps="say whose it is: `tollbook account number add ACCOUNT NUMBER` for a number that was called,"
                " accountcode on the switch for phones and trunks",
            )
        case "no such account":
            return Remedy(
                kind="unknown_account",
                what="nobody has added this account code",
                helps=f"`tollbook account add {account} --plan PLAN`, {RERATE}; or mend accountcode on the switch",
            )
        case "the account has no rate plan":
            return Remedy(
                kind="no_plan",
                what=first,
                helps=f"`tollbook account plan {account} PLAN --from TIME` from before the first of them, {RERATE}",
            )
        case "the account has no rate plan at this time":
            return Remedy(
                kind="plan_begins_later",
                what="the account had no rate plan when they began, though at other times",
                helps=f"`tollbook account plan {account}` shows its plans by date; with PLAN and `--from TIME` one"
                f" begins earlier, {RERATE}",
            )
        case _ if first == BILLED_ELSEWHERE:
            return Remedy(kind="imported", what=first, helps="nothing is to be done: it is on another system's bill")
        case _ if first == UNKNOWN_REASON:
            return Remedy(
                kind="unknown",
                what="the archive does not keep why",
                helps="`tollbook rerate --unrated` prices what has a rate now, and `tollbook explain CALL_ID` says what"
                " is still missing of a call",
            )
        case _ if first.startswith("the price is larger"):
            return Remedy(
                kind="too_large",
                what=first.split(":", 1)[0],
                helps="mend the rate: `tollbook rates export --plan PLAN`, `tollbook rates import FILE --plan PLAN`,"
                f" {RERATE}",
            )
        case _:
            return _of_number(first)


def _of_number(reason: str) -> Remedy:
    if found := _NO_RATE.fullmatch(reason):
        if found["begins"]:
            return Remedy(
                kind="rate_begins_later",
                what=f"no rate was valid then for {found['what']}: the first one begins {found['begins']}",
                helps=f"`tollbook rates import FILE --plan PLAN` with an earlier date for it, {RERATE}",
            )
        return Remedy(
            kind="no_rate",
            what=f"no prefix of the plan matches {found['what']}",
            helps=f"`tollbook rates import FILE --update --plan PLAN` with a prefix for it, {RERATE}; or give the"
            " plan a `--base` that has one",
        )
    found = _UNREAD.fullmatch(reason)
    return Remedy(
        kind="unread_number",
        what=found["why"] if found else reason,
        helps="`tollbook account numbering` shows how accounts dial, and with an account and a country says it anew,"
        f" {RERATE}",
    )
