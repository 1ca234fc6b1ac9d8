"""Which calls are asked for: the same selection for both tiers, PostgreSQL and the archive."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tollbook.model.accounts import Accounts
from tollbook.model.vocabulary import Direction, Disposition

Order: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a call must match; None matches all. `number` is a prefix of from_num or of to_num."""

    direction: Direction | None = None
    disposition: Disposition | None = None
    number: str | None = None
    queue_id: str | None = None
    agent_id: str | None = None
    min_billsec: int | None = None


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
    filters: Filters = Filters()


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Calls whose rows transaction `first` or a later one wrote, in the order of (changed, start_ts, call_id).

    `after`: that key of the last row of the page before; it takes the place of `first`.
    """

    accounts: Accounts
    first: int
    after: tuple[int, int, str] | None = None
    filters: Filters = Filters()


def behind_prefix(prefix: str) -> str | None:
    """Give the first text, by code point, behind all that begin with `prefix`; None when there is none.

    So a prefix is a range: [prefix, behind_prefix(prefix)). UTF-8 bytes sort like code points.
    """
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following <= 0x10FFFF:
            # The surrogates are no characters, and no text of PostgreSQL holds one.
            return prefix[: end - 1] + chr(0xE000 if following == 0xD800 else following)
    return None
