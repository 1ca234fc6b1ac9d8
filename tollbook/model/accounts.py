"""Whose calls a query reads: one account's or every account's. Neither is a default: each reader names one."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class OneAccount:
    """The calls of one account."""

    account_id: str


@dataclass(frozen=True, slots=True)
class EveryAccount:
    """The calls of every account, and those without an account: for operators and for commands on this machine."""


Accounts: TypeAlias = OneAccount | EveryAccount
