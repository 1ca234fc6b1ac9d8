"""Whose calls an erasure removes."""

from collections.abc import Collection
from dataclasses import dataclass

from maintenance.erase.number import ErasedNumber
from tollbook.model.leg import Leg
from tollbook.model.numbering import NumberingPlan
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs import tariffs


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Calls that started before `until_ts`, epoch ms: of an account (None: any), and of a number (None: any)."""

    account_id: str | None
    number: ErasedNumber | None
    until_ts: int

    def __str__(self) -> str:
        """Return it in words, with the number."""
        whose = "every account" if self.account_id is None else f"account {self.account_id}"
        return f"{whose}, number {self.number.text}" if self.number else whose

    def excludes(self, leg: Leg) -> bool:
        """Return whether a leg is the root of another account's call, which may have an erased call's id again."""
        stated = [facts for facts in (leg.create, leg.look, leg.end) if facts is not None]
        accounts = {facts.account for facts in stated if facts.account}
        is_root = all(facts.parent is None for facts in stated)
        return is_root and bool(accounts) and self.account_id is not None and self.account_id not in accounts

    def has_leg(self, leg: Leg, owners: Collection[str]) -> bool:
        """Return whether a leg that stands alone is one of theirs: a root of the account, or one that names the number.

        `owners`: the accounts that own the number that it dialled.
        """
        stated = [facts for facts in (leg.create, leg.look, leg.end) if facts is not None]
        accounts = {facts.account for facts in stated if facts.account} or set(owners)
        if leg.created_us // 1000 >= self.until_ts or (self.account_id is not None and self.account_id not in accounts):
            return False
        if self.number is not None:
            return any(self.number.named_by(leg, account) for account in accounts or {None})
        return all(facts.parent is None for facts in stated)


def load_scope(connection: Connection, account_id: str | None, number: str | None, until_ts: int) -> Scope:
    """Read how the accounts dial, and return the scope; raises UsageError for what is no number."""
    if number is None:
        return Scope(account_id=account_id, number=None, until_ts=until_ts)
    with store_errors():
        plans = {row.numbering_id: NumberingPlan(row) for row in tariffs.numberings(connection)}
        numberings = {
            account.account_id: plans[account.numbering_id]
            for account in tariffs.accounts(connection)
            if account.numbering_id
        }
    return Scope(account_id=account_id, number=ErasedNumber(number, account_id, numberings), until_ts=until_ts)
