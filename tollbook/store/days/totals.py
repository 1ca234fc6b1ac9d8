"""The totals of a day's calls in PostgreSQL, per account: what the archive must hold before the day is dropped."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap

from psycopg import sql

from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.times import MS_PER_DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class DayTotals:
    """A day: totals of its archived calls by account, keys that wait in the outbox, number of calls still open."""

    archived: Mapping[str | None, Totals]
    waiting: frozenset[CallKey]
    open: int


def day_totals(connection: Connection, day: int, *, most_waiting: int) -> DayTotals:
    """Add up a day that has a partition, in a single snapshot. Call outside a transaction.

    `waiting` holds at most `most_waiting` + 1 keys: enough to see that there are too many.
    """
    table = sql.Identifier(partition_name(CALLS.table, day))
    span = (day * MS_PER_DAY, (day + 1) * MS_PER_DAY)
    with store_errors(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        waiting = connection.execute(
            "SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s LIMIT %s",
            (*span, most_waiting + 1),
        ).fetchall()
        # Sum all rows and subtract the few that wait: an anti-join with a million rows takes three times as long.
        totals = connection.execute(
            sql.SQL(
                """
                SELECT account_id, sum(calls)::bigint, sum(billsec)::bigint, sum(cost), sum(open)::bigint
                FROM (
                    SELECT account_id, count(end_ts) AS calls, count(*) - count(end_ts) AS open,
                           sum(billsec) FILTER (WHERE end_ts IS NOT NULL) AS billsec,
                           sum(cost_micros) FILTER (WHERE end_ts IS NOT NULL) AS cost
                    FROM {day} GROUP BY account_id
                    UNION ALL
                    SELECT account_id, -count(end_ts), 0,
                           -sum(billsec) FILTER (WHERE end_ts IS NOT NULL),
                           -sum(cost_micros) FILTER (WHERE end_ts IS NOT NULL)
                    FROM {day} JOIN (
                        SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s
                    ) AS waiting USING (start_ts, call_id, switch)
                    GROUP BY account_id
                ) AS counted GROUP BY account_id
                """
            ).format(day=table),
            span,
        ).fetchall()
    return DayTotals(
        archived={
            account: Totals(calls=calls, billsec=billsec or 0, cost_micros=int(cost or 0))
            for account, calls, billsec, cost, _ in totals
            if calls
        },
        waiting=frozenset(starmap(CallKey, waiting)),
        open=sum(row[4] for row in totals),
    )
