"""Whose calls a query reads: one account's or every account's. Neither is a default: each reader names one."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class OneAccount:
    """The calls of one account.

    `hides_carriers`: its reader must not learn who the operator's carriers are, so a call that a carrier's leg began is
    not found by its Call-ID. `for_operator`: an operator asks, whose requests never count as the account's own. It is
    the same account all the same.
    """

    account_id: str
    hides_carriers: bool = field(default=False, compare=False)
    for_operator: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class EveryAccount:
    """The calls of every account, and those without an account: for operators and for commands on this machine."""


Accounts: TypeAlias = OneAccount | EveryAccount
