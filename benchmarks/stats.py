"""What `GET /v1/stats` asks of PostgreSQL: 1,000,000 calls of one account in 30 days, and as many of others.

Each question is asked as the API asks it, within its time limit, and compared in the same run with the least work that
any answer needs: `SELECT count(*), sum(billsec)` over the same calls. TOLLBOOK_BENCH_CALLS sets how many.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from export_app.database import LIMITS
from export_app.stats.periods import starts
from tollbook.embedded import embedded_postgres
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store import row_security
from tollbook.store.calls.stats import GroupedSums, Periods, sum_calls
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY

CALLS = int(os.environ.get("TOLLBOOK_BENCH_CALLS", "1000000"))
DAYS = 30
ROUNDS = 5
_FIRST_DAY = 20_600

# Rows as the listener writes them: with parts, five queues, forty agents, eight dispositions, two accounts in turn.
_FILL = """
    INSERT INTO call_cdr (
        call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec, answered,
        disposition, hangup_cause, queue_id, agent_id, cost_micros, switch, revision, currency, parts
    )
    SELECT md5(n::text), CASE n %% 2 WHEN 0 THEN 'acme' ELSE 'other' END, 'outbound', '1001',
           '+' || (array['4930', '4989', '4415', '3314', '1212', '8005'])[1 + n %% 6] || (1000000 + n %% 900000),
           start_ts, CASE WHEN answered = 1 THEN start_ts + 4000 END, start_ts + 64000, 64, 60 * answered, answered,
           (array['answered', 'answered', 'busy', 'no_answer', 'answered', 'cancelled', 'failed', 'answered'])
           [1 + n %% 8],
           'NORMAL_CLEARING', 'queue' || n %% 5, 'agent' || n %% 40, 21000 * answered, 'fs1', 1, 'EUR',
           '[{"direction": "outbound", "number": "4930123456", "seconds": 60, "cost_micros": 21000, "billed_sec": 60,
              "rate_id": 77, "rate": "Germany"}]'::jsonb
    FROM generate_series(1, %(calls)s) AS n,
         LATERAL (
             SELECT %(since)s + floor((n - 1) * %(step)s)::bigint AS start_ts, (n %% 8 IN (0, 1, 4, 7))::int AS answered
         ) AS made
"""


def _fill(connection: Connection, since: int) -> None:
    Partitions().ensure(connection, call_days=range(_FIRST_DAY, _FIRST_DAY + DAYS), leg_days=())
    connection.execute("INSERT INTO account (account_id, name) VALUES ('acme', 'Acme')")
    connection.execute(_FILL, {"calls": 2 * CALLS, "since": since, "step": DAYS * MS_PER_DAY / (2 * CALLS)})
    connection.execute("VACUUM ANALYZE call_cdr")


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def run() -> None:
    """Print how long each question takes, and its ratio to the plain sum's time."""
    since = _FIRST_DAY * MS_PER_DAY
    until = since + DAYS * MS_PER_DAY
    zone = ZoneInfo("Europe/Berlin")
    one = Selection(accounts=OneAccount("acme"), since=since, until=until)
    every = Selection(accounts=EveryAccount(), since=since, until=until)
    busy = Selection(accounts=OneAccount("acme"), since=since, until=until, filters=Filters(disposition="busy"))
    hours = Periods(starts=list(starts("hour", zone, since, until)))
    days = Periods(starts=list(starts("day", zone, since, until)))
    print(f"stats: {CALLS:,} calls of one account in {DAYS} days, and as many of another")
    with tempfile.TemporaryDirectory(prefix="tollbook-") as folder, embedded_postgres(Path(folder)) as url:
        upgrade(url)
        with connect(url, name="bench", autocommit=True) as connection:
            _fill(connection, since)
            connection.execute(f"SET statement_timeout = '{LIMITS.statement_s}s'")

            def ask(selection: Selection, groups: list[str | Periods], limit: int) -> GroupedSums:
                with row_security.reading(connection, selection.accounts):
                    return sum_calls(connection, selection, groups, limit=limit)

            plain = "SELECT count(*), sum(billsec) FROM call_cdr WHERE account_id = 'acme'"
            questions: dict[str, Callable[[], object]] = {
                "count(*), sum(billsec), by hand": lambda: connection.execute(plain).fetchall(),
                "total": lambda: ask(one, [], 1),
                "by day": lambda: ask(one, [days], 1000),
                "by hour, disposition": lambda: ask(one, [hours, "disposition"], 10_000),
                "by prefix": lambda: ask(one, ["prefix"], 10),
                "by agent": lambda: ask(one, ["agent_id"], 10),
                "by hour, busy calls only": lambda: ask(busy, [hours], 1000),
                "by hour, disposition, every account": lambda: ask(every, [hours, "disposition"], 10_000),
            }
            assert ask(one, [], 1).total.calls == CALLS
            least = 0.0
            for name, question in questions.items():
                median = statistics.median(_seconds(question) for _ in range(ROUNDS))
                least = least or median
                print(f"  {name:<36} {median * 1000:7.0f} ms  {median / least:5.2f} ×")
