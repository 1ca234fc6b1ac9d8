"""The days whose sums are not to be trusted: never built, or changed in a way that no trigger sees.

A question about time with such a day in it is not answered from sums. `tollbook stats rebuild` builds them.
"""

import time
from collections.abc import Collection
from typing import Final, LiteralString, NamedTuple, cast
from uuid import UUID

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, limit_transaction, scalar, store_errors
from tollbook.times import LAST_MS, MS_PER_DAY


class UnbuiltDay(NamedTuple):
    """A day, counted from 1970-01-01, of an account or (None) of every account and of calls without one."""

    day: int
    account_id: str | None


class Claim(NamedTuple):
    """An unbuilt day as somebody begins to build it, and why; the day is named again under another claim."""

    unbuilt: UnbuiltDay
    claim: UUID
    reason: str


#: Why a day is to be built: calls of it were erased, and names that no other call has must go with them.
ERASURE: Final[LiteralString] = "erasure"
#: All days are to be built.
REBUILD: Final[LiteralString] = "rebuild"

# An erasure stays one until it is built. In the order of the key, as every writer does it.
_AGAIN: Final[LiteralString] = f"""
    ORDER BY day, account_id ON CONFLICT (day, account_id) DO UPDATE SET claim = excluded.claim,
        reason = CASE WHEN sum_unbuilt.reason = '{ERASURE}' THEN sum_unbuilt.reason ELSE excluded.reason END
"""
_MARK: Final[LiteralString] = f"""
    INSERT INTO sum_unbuilt (day, account_id, reason)
    SELECT DISTINCT day, account_id, %s FROM unnest(%s::integer[], %s::text[]) AS unbuilt (day, account_id) {_AGAIN}
"""  # noqa: S608 - literals alone


def mark_unbuilt(connection: Connection, days: Collection[UnbuiltDay], reason: str) -> None:
    """Name days whose sums are to be built anew, and why. Raises StoreUnavailable."""
    with store_errors():
        connection.execute(_MARK, (reason, [day for day, _ in days], array_literal([account for _, account in days])))


def mark_all_unbuilt(connection: Connection, days: Collection[int], reason: str) -> None:
    """Name every day that has calls: from then on each other day counts as built. Call in autocommit.

    Raises StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        mark_unbuilt(connection, [UnbuiltDay(day, None) for day in days], reason)
        connection.execute("UPDATE sum_state SET unbuilt_before = 0 WHERE unbuilt_before <> 0")


def distrust_sums(connection: Connection) -> None:
    """Have no sum trusted until all days have been named and built: the archive may hold calls that nobody counted.

    Of trunk legs, which the archive lacks, those of calls from now on are summed. Raises StoreUnavailable.
    """
    now_ms = time.time_ns() // 1_000_000
    with store_errors():
        connection.execute(
            "UPDATE sum_state SET unbuilt_before = %s, gateways_since = greatest(gateways_since, %s)",
            (LAST_MS + 1, now_ms),
        )


def mark_erased(connection: Connection, erasure_id: UUID) -> None:
    """Name the days of the calls that an erasure has collected. Raises StoreUnavailable."""
    with store_errors():
        connection.execute(_MARK_ERASED, (MS_PER_DAY, erasure_id))


_MARK_ERASED: Final[LiteralString] = f"""
    INSERT INTO sum_unbuilt (day, account_id, reason)
    SELECT DISTINCT (start_ts / %s)::integer AS day, account_id, '{ERASURE}' FROM erasure_call WHERE erasure_id = %s
    {_AGAIN}
"""  # noqa: S608 - literals alone


def unnamed_before(connection: Connection) -> int:
    """Return the time, epoch ms, before which the days to build have not been named yet; 0: all have been."""
    with store_errors():
        return cast("int", scalar(connection, "SELECT unbuilt_before FROM sum_state"))


def unbuilt_days(connection: Connection) -> list[Claim]:
    """Return the days to build, the newest first, which are those that are asked for most."""
    with store_errors():
        rows = connection.execute(
            "SELECT day, account_id, claim, reason FROM sum_unbuilt ORDER BY day DESC, account_id NULLS FIRST"
        ).fetchall()
    return [Claim(UnbuiltDay(day, account_id), claim, reason) for day, account_id, claim, reason in rows]


#: The listener rolls up every ten seconds: more wait when none runs, or it fails. Each read adds them.
MANY_WAITING: Final = 200_000


def waiting_calls(connection: Connection, most: int) -> int:
    """Count what waits to be rolled up, up to `most`. Raises StoreUnavailable."""
    with store_errors():
        return cast("int", scalar(connection, "SELECT count(*) FROM (SELECT FROM sum_delta LIMIT %s) AS waiting", most))


def is_built(connection: Connection, accounts: Accounts, since: int, until: int) -> bool:
    """Return whether the sums of all calls that started in [since, until), epoch ms, are there."""
    account_id = accounts.account_id if isinstance(accounts, OneAccount) else None
    with store_errors():
        return bool(
            scalar(
                connection,
                "SELECT %s >= (SELECT unbuilt_before FROM sum_state) AND NOT EXISTS (SELECT FROM sum_unbuilt"
                " WHERE day BETWEEN %s AND %s AND (%s::text IS NULL OR account_id IS NULL OR account_id = %s))",
                since, since // MS_PER_DAY, (until - 1) // MS_PER_DAY, account_id, account_id,
            )
        )  # fmt: skip
