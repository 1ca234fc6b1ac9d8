"""Which archived calls are to be found by their id, once PostgreSQL was asked."""

from collections.abc import Collection
from dataclasses import dataclass

from tollbook.model.accounts import Accounts
from tollbook.model.call_key import CallKey


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedCalls:
    """Archived calls with an id, of these accounts, that started in [first_ms, end_ms).

    `excluded`: the keys of those that PostgreSQL has, or whose archived row is outdated or deleted.
    """

    call_id: str
    accounts: Accounts
    first_ms: int
    end_ms: int
    excluded: Collection[CallKey] = frozenset()
