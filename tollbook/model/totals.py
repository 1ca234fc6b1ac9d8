"""Totals of calls, and the accounts on which the totals of the two tiers differ."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """How many calls, and the sums of their billsec and cost_micros; a call without a price adds nothing."""

    calls: int = 0
    billsec: int = 0
    cost_micros: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        """Return the totals of both sets of calls."""
        return Totals(
            calls=self.calls + other.calls,
            billsec=self.billsec + other.billsec,
            cost_micros=self.cost_micros + other.cost_micros,
        )

    def __str__(self) -> str:
        """Return them as one line."""
        return f"{self.calls} calls, {self.billsec} s, {self.cost_micros} micros"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountDifference:
    """An account whose calls have different totals in the two tiers; None: the calls without an account."""

    account_id: str | None
    database: Totals
    archive: Totals

    def __str__(self) -> str:
        """Return one line: the account, and what each tier holds."""
        who = "calls without an account" if self.account_id is None else f"account {self.account_id}"
        return f"{who}: PostgreSQL has {self.database}; the archive has {self.archive}"


def differing_accounts(
    database: Mapping[str | None, Totals], archive: Mapping[str | None, Totals]
) -> list[AccountDifference]:
    """Return the accounts on which the two tiers differ, sorted by name; an empty list when they agree."""
    return [
        AccountDifference(account_id=account, database=ours, archive=theirs)
        for account in sorted(
            database.keys() | archive.keys(), key=lambda account: (account is not None, account or "")
        )
        if (ours := database.get(account, Totals())) != (theirs := archive.get(account, Totals()))
    ]
