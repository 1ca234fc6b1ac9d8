"""What is asked of sums: a month of 80 million calls, written straight into the cubes.

As `tollbook prune` leaves them every night: a day's cells in the order of their keys, but for the last two days, of
which an account's cells of a quarter-hour lie among those of all others. Each question is asked as the API asks it.
"""

import time
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
# Three directions and four dispositions: some 2.3 calls a cell, at 80 million calls of a thousand accounts.
_CELLS = 12

# Where the m-th cell of a day is: in the order of the keys, and by quarter-hour with all accounts in turn.
_IN_ORDER = "m / %(cells)s / 96, m / %(cells)s %% 96, m %% %(cells)s"
_IN_TURN = "m %% %(accounts)s, m / %(accounts)s / %(cells)s, m / %(accounts)s %% %(cells)s"


def _fill(places: str) -> bytes:
    """Return the statement that writes a day's cells; it needs no sort."""
    return f"""
        INSERT INTO call_sum (account_no, quarter, direction, disposition, currency, calls, answered, unrated,
                              wait_calls, ring_calls, billsec, cost_micros, wait_ms, ring_ms)
        SELECT 1 + account, quarter, 1 + cell %% 3, 1 + cell / 3, 'EUR', calls, calls, 0, 0, calls, 60 * calls,
               21000::numeric * calls, 0, 4000 * calls
        FROM generate_series(0, 96 * %(accounts)s * %(cells)s - 1) AS m,
             LATERAL (SELECT {places}) AS placed (account, of_day, cell),
             LATERAL (SELECT 96 * %(day)s + of_day) AS at (quarter),
             LATERAL (SELECT %(mean)s + (quarter + 1 + account + cell) %% 2) AS made (calls)
    """.encode()


_KEYS = ", ".join(OPERATORS.keys)
_FILL_OPERATORS = f"""
    INSERT INTO operator_sum ({_KEYS}, {", ".join(OPERATORS.measures)})
    SELECT {_KEYS}, {", ".join(f"sum({name})" for name in OPERATORS.measures)} FROM call_sum
    GROUP BY {_KEYS} ORDER BY {_KEYS}
"""


def run(*, calls: int = 80_000_000, accounts: int = 200, rounds: int = 5) -> Iterator[Figure]:
    """Yield how long each question takes. `calls` are in all, of `accounts`; `accounts=1000` needs 6 GB.

    An account has as many cells, however many there are, and so has all of them together by hour and disposition.
    """
    zone = ZoneInfo("Europe/Berlin")
    hours = Periods(starts=list(starts("hour", zone, _SINCE, _UNTIL)))
    days = Periods(starts=list(starts("day", zone, _SINCE, _UNTIL)))
    limits = TimeLimits(statement_s=1800, transaction_s=1800)
    with ExitStack() as stack:
        settings = stack.enter_context(database())
        url = settings.require_database_url()
        writer = stack.enter_context(connect(url, name="bench", autocommit=True, limits=limits))
        mean = max(1, round(calls / (accounts * _QUARTERS * _CELLS) - 0.5))
        first = _SINCE // MS_PER_DAY
        writer.execute(
            "INSERT INTO sum_account (account_id) SELECT 'account' || n FROM generate_series(1, %s) AS n ORDER BY n",
            (accounts,),
        )
        writer.execute("ALTER TABLE call_sum DROP CONSTRAINT call_sum_pkey")
        writer.execute("ALTER TABLE call_sum SET UNLOGGED")  # nothing of it is written later
        begun = time.monotonic()
        for day in range(first, first + _DAYS):
            amounts = {"day": day, "cells": _CELLS, "mean": mean, "accounts": accounts}
            writer.execute(_fill(_IN_ORDER if day < first + _DAYS - 2 else _IN_TURN), amounts)
        filled_s = time.monotonic() - begun
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
        }
        for name, time_s in zip(questions, medians(rounds, *questions.values()), strict=True):
            bound = at_most(100) if name.endswith("disposition") else None
            yield Figure(what=name, value=time_s * 1000, unit="ms", bound=bound)
        by_account_s = seconds(lambda: ask(EveryAccount(), ["account_id"]))  # reads all cells
        yield Figure(what="every account, by account", value=by_account_s * 1000, unit="ms")
