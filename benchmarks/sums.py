"""What is asked of sums: a month of 80 million calls of a thousand accounts, written straight into the cubes.

As `tollbook prune` leaves them every night: a day's cells in the order of their keys, but for the last two days, of
which an account's cells of a quarter-hour lie among those of all others. Each question is asked as the API asks it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from zoneinfo import ZoneInfo

from benchmarks.database import database
from benchmarks.figure import Figure, at_most, medians, seconds
from export_app.stats.periods import starts
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_sums import Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.stats import GroupedSums
from tollbook.store.database import TimeLimits, connect
from tollbook.store.row_security import reading
from tollbook.store.sums.cubes import OPERATORS
from tollbook.store.sums.read import sum_cubes
from tollbook.times import MS_PER_DAY

_DAYS = 30
_SINCE = 20_600 * MS_PER_DAY
_UNTIL = _SINCE + _DAYS * MS_PER_DAY
_QUARTERS = 96 * _DAYS
# Three directions and four dispositions: some 2.3 calls a cell, at 80 million calls.
_CELLS = 12

_FILL = """
    INSERT INTO call_sum (account_no, quarter, direction, disposition, currency, calls, answered, unrated, wait_calls,
                          ring_calls, billsec, cost_micros, wait_ms, ring_ms)
    SELECT account_no, quarter, 1 + cell %% 3, 1 + cell / 3, 'EUR', calls, calls, 0, 0, calls, 60 * calls,
           21000::numeric * calls, 0, 4000 * calls
    FROM generate_series(%(first)s, %(first)s + %(quarters)s - 1) AS quarter,
         generate_series(1, %(accounts)s) AS account_no, generate_series(0, %(cells)s - 1) AS cell,
         LATERAL (SELECT %(mean)s + (quarter + account_no + cell) %% 2) AS made (calls)
    ORDER BY quarter / 96, CASE WHEN quarter < %(first)s + %(quarters)s - 192 THEN account_no END, quarter, cell
"""
_KEYS = ", ".join(OPERATORS.keys)
_FILL_OPERATORS = f"""
    INSERT INTO operator_sum ({_KEYS}, {", ".join(OPERATORS.measures)})
    SELECT {_KEYS}, {", ".join(f"sum({name})" for name in OPERATORS.measures)} FROM call_sum
    GROUP BY {_KEYS} ORDER BY {_KEYS}
"""


def run(*, calls: int = 8_000_000, accounts: int = 1_000, rounds: int = 5) -> Iterator[Figure]:
    """Yield how long each question takes. `calls` are in all, of `accounts`; 80,000,000 need 6 GB and five minutes."""
    zone = ZoneInfo("Europe/Berlin")
    hours = Periods(starts=list(starts("hour", zone, _SINCE, _UNTIL)))
    days = Periods(starts=list(starts("day", zone, _SINCE, _UNTIL)))
    limits = TimeLimits(statement_s=1800, transaction_s=1800)
    with ExitStack() as stack:
        settings = stack.enter_context(database())
        url = settings.require_database_url()
        writer = stack.enter_context(connect(url, name="bench", autocommit=True, limits=limits))
        mean = max(1, round(calls / (accounts * _QUARTERS * _CELLS) - 0.5))
        amounts = {
            "first": _SINCE // 900_000, "quarters": _QUARTERS, "cells": _CELLS, "mean": mean, "accounts": accounts,
        }  # fmt: skip
        writer.execute(
            "INSERT INTO sum_account (account_id) SELECT 'account' || n FROM generate_series(1, %s) AS n ORDER BY n",
            (accounts,),
        )
        writer.execute("ALTER TABLE call_sum DROP CONSTRAINT call_sum_pkey")
        filled_s = seconds(lambda: writer.execute(_FILL, amounts))
        writer.execute("ALTER TABLE call_sum ADD PRIMARY KEY (account_no, quarter, direction, disposition, currency)")
        writer.execute(_FILL_OPERATORS.encode())
        writer.execute("VACUUM ANALYZE")
        row = writer.execute("SELECT sum(calls), count(*), pg_total_relation_size('call_sum') FROM call_sum").fetchone()
        assert row is not None
        yield Figure(what="calls", value=int(row[0]), unit="calls")
        yield Figure(what="cells", value=row[1], unit="cells")
        yield Figure(what="call_sum and its indexes, a call", value=row[2] / int(row[0]), unit="bytes")
        yield Figure(what="filled", value=filled_s, unit="s")
        reader = stack.enter_context(connect(url, name="reader", autocommit=True))

        def ask(accounts: Accounts, groups: list[str | Periods]) -> GroupedSums:
            selection = Selection(accounts=accounts, since=_SINCE, until=_UNTIL)
            with reading(reader, accounts):
                sums = sum_cubes(reader, selection, groups, limit=10_000)
            assert not isinstance(sums, str), sums
            return sums

        one = OneAccount(f"account{accounts}")
        assert ask(EveryAccount(), []).total.calls == int(row[0])
        assert ask(one, [hours, "disposition"]).total.calls == ask(one, []).total.calls > 0
        questions: dict[str, Callable[[], object]] = {
            "a month of an account, total": lambda: ask(one, []),
            "by day": lambda: ask(one, [days]),
            "by hour and disposition": lambda: ask(one, [hours, "disposition"]),
            "every account, by hour and disposition": lambda: ask(EveryAccount(), [hours, "disposition"]),
            "every account, by account": lambda: ask(EveryAccount(), ["account_id"]),
        }
        for name, time_s in zip(questions, medians(rounds, *questions.values()), strict=True):
            bound = at_most(100) if name.endswith("disposition") else None
            yield Figure(what=name, value=time_s * 1000, unit="ms", bound=bound)
