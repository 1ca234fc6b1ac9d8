"""Which calls are asked for: the same selection for both tiers, PostgreSQL and the archive."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tollbook.model.accounts import Accounts
from tollbook.model.filters import NO_FILTERS, Filters

Order: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Calls that started in [since, until), epoch ms, in `order` of (start_ts, call_id).

    `after`: the (start_ts, call_id) of the last row of the page before; the next page begins behind it, in `order`.
    """

    accounts: Accounts
    since: int
    until: int
    order: Order = "desc"
    after: tuple[int, str] | None = None
    filters: Filters = NO_FILTERS


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Calls whose rows transaction `first` or a later one wrote, in the order of (changed, start_ts, call_id).

    `after`: that key of the last row of the page before; it takes the place of `first`.
    """

    accounts: Accounts
    first: int
    after: tuple[int, int, str] | None = None
    filters: Filters = NO_FILTERS
