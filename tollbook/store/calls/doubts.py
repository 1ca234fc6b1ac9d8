"""The doubts about recent calls, counted for operators."""

from dataclasses import dataclass

from psycopg.rows import class_row

from tollbook.model.doubts import DoubtKind
from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedDoubt:
    """Calls with the same doubt: how many, the seconds that they talked, and the newest of them.

    `all_calls` counts those of every doubt, also of the ones that are not listed.
    """

    kind: DoubtKind
    name: str
    calls: int
    billsec: int
    call_id: str
    all_calls: int


def count_doubts(connection: Connection, since_ms: int, limit: int) -> list[CountedDoubt]:
    """Count the doubts about calls that began at `since_ms` (epoch ms) or later, the most frequent first."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(CountedDoubt))
            .execute(
                """
                SELECT doubt ->> 0 AS kind, doubt ->> 1 AS name, count(*) AS calls, sum(billsec)::bigint AS billsec,
                       (array_agg(call_id ORDER BY start_ts DESC))[1] AS call_id,
                       sum(count(*)) OVER ()::bigint AS all_calls
                FROM call_cdr, jsonb_array_elements(doubts) AS doubt
                WHERE doubts IS NOT NULL AND start_ts >= %s
                GROUP BY 1, 2 ORDER BY calls DESC, 1, 2 LIMIT %s
                """,
                (since_ms, limit),
            )
            .fetchall()
        )
