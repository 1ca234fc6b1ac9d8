"""Which calls are asked for: the same selection for both tiers, PostgreSQL and the archive."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Order: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a call must match; None matches all. `number` is a prefix of from_num or of to_num."""

    direction: str | None = None
    disposition: str | None = None
    number: str | None = None
    queue_id: str | None = None
    agent_id: str | None = None
    min_billsec: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Calls that started in [since, until), epoch ms, in `order` of (start_ts, call_id).

    `account_id` None is for an operator, who says so with `every_account`: calls without an account are among them.
    `after`: the (start_ts, call_id) of the last row of the page before; the next page begins behind it, in `order`.
    """

    account_id: str | None
    every_account: bool
    since: int
    until: int
    order: Order = "desc"
    after: tuple[int, str] | None = None
    filters: Filters = Filters()

    def __post_init__(self) -> None:
        """Hold that a read names one account, or asks for all of them on purpose."""
        if (self.account_id is None) != self.every_account:
            raise ValueError("a read names one account, or asks for every account, as an operator may")
