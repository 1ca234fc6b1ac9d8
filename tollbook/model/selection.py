"""Which calls a query selects: the same selection for both tiers, PostgreSQL and the archive."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from tollbook.model.accounts import Accounts
from tollbook.model.call_key import CallKey
from tollbook.model.filters import NO_FILTERS, Filters

Order: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Calls that started in [since, until), epoch ms, in `order` of their keys.

    `after`: the key of the last row of the page before; the next page begins after it, in `order`.
    """

    accounts: Accounts
    since: int
    until: int
    order: Order = "desc"
    after: CallKey | None = None
    filters: Filters = NO_FILTERS

    @property
    def remaining(self) -> tuple[int, int]:
        """The times [first, end), epoch ms, at which the calls that come after `after` can have started."""
        if self.after is None:
            return self.since, self.until
        if self.order == "asc":
            return max(self.since, self.after.start_ts), self.until
        return self.since, min(self.until, self.after.start_ts + 1)

    def split(self, edge: int) -> tuple["Selection", "Selection"]:
        """Cut at a time, epoch ms, that lies within `remaining`: return what comes first in `order`, and the rest."""
        earlier = replace(self, until=edge, after=self.after if self.order == "asc" else None)
        later = replace(self, since=edge, after=self.after if self.order == "desc" else None)
        return (earlier, later) if self.order == "asc" else (later, earlier)


class ChangePosition(NamedTuple):
    """Where a row stands among changes: the transaction that wrote it, and the key of its call."""

    changed: int
    key: CallKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Calls whose rows were written by transaction `first` or a later one, in the order of their positions.

    `after`: the position of the last row of the page before; it takes the place of `first`.
    """

    accounts: Accounts
    first: int
    after: ChangePosition | None = None
    filters: Filters = NO_FILTERS
