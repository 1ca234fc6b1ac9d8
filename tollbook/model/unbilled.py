"""Answered calls that no statement charges: those without a price. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

#: Why nobody is billed for a call: nothing says whose it is, its code is no account, or no rate gave it a price.
Cause: TypeAlias = Literal["no account", "no such account", "no price"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unbilled:
    """The calls of an account code, or (None) of none, that have no price; the first of them names itself."""

    account_id: str | None
    calls: int
    billsec: int
    first: tuple[int, str]

    def plus(self, more: "Unbilled") -> "Unbilled":
        """Return both together; of the same code."""
        return replace(
            self, calls=self.calls + more.calls, billsec=self.billsec + more.billsec, first=min(self.first, more.first)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class UnbilledCounts:
    """How many calls nobody is billed for, by cause. `code`: of those that are no account the one with most calls."""

    no_account: int
    no_such_account: int
    no_price: int
    code: str | None = None

    @property
    def calls(self) -> int:
        """All of them."""
        return self.no_account + self.no_such_account + self.no_price

    def __str__(self) -> str:
        """Return the counts that are not 0, as a list of words."""
        parts = [
            f"{self.no_account} without an account" if self.no_account else "",
            f"{self.no_such_account} of codes that are no account, such as {self.code}" if self.no_such_account else "",
            f"{self.no_price} without a price" if self.no_price else "",
        ]
        return ", ".join(filter(None, parts))


def add_up_unbilled(parts: Iterable[Unbilled]) -> list[Unbilled]:
    """Add up by account code; most calls first."""
    found: dict[str | None, Unbilled] = {}
    for part in parts:
        account_id = part.account_id
        found[account_id] = found[account_id].plus(part) if account_id in found else part
    return sorted(found.values(), key=lambda some: (-some.calls, some.account_id or ""))


def cause_of(account_id: str | None, accounts: frozenset[str]) -> Cause:
    """Return why nobody is billed; `accounts` are those that exist."""
    if account_id is None:
        return "no account"
    return "no price" if account_id in accounts else "no such account"
