"""The calls without a price, counted for operators by what settles them."""

from dataclasses import dataclass

from psycopg.rows import class_row

from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedUnrated:
    """Calls of an account that are unrated for one reason, in which numbers are cut off after four digits.

    How many, the seconds that they talked, and the newest of them. `all_calls` counts those of every reason, also of
    the ones that are not listed.
    """

    account_id: str | None
    reason: str
    calls: int
    billsec: int
    call_id: str
    start_ts: int
    all_calls: int


def count_unrated(
    connection: Connection, since_ms: int, until_ms: int, account_id: str | None, limit: int
) -> list[CountedUnrated]:
    """Count the calls of [since_ms, until_ms), epoch ms, that PostgreSQL has and that have no price.

    Of an account, or of all. The most frequent reasons first.
    """
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(CountedUnrated))
            .execute(
                r"""
                SELECT account_id, reason, count(*) AS calls, coalesce(sum(billsec), 0)::bigint AS billsec,
                       (array_agg(call_id ORDER BY start_ts DESC))[1] AS call_id, max(start_ts) AS start_ts,
                       sum(count(*)) OVER ()::bigint AS all_calls
                FROM call_cdr,
                     LATERAL (SELECT regexp_replace(
                         split_part(unrated, '; ', 1), '((inbound|outbound|internal) (short code )?[+]?\d{4})\d+', '\1…'
                     )) AS cut (reason)
                WHERE unrated IS NOT NULL AND start_ts >= %(since)s AND start_ts < %(until)s
                      AND (%(account)s::text IS NULL OR account_id = %(account)s)
                GROUP BY 1, 2 ORDER BY calls DESC, 1, 2 LIMIT %(limit)s
                """,
                {"since": since_ms, "until": until_ms, "account": account_id, "limit": limit},
            )
            .fetchall()
        )
