"""What `GET /v1/stats` asks of PostgreSQL: calls of one account in 30 days, and as many of another.

Each question is asked as the API asks it, within its time limit, and compared in the same run with the least work that
any answer needs: `SELECT count(*), sum(billsec)` over the same calls. First from the rows, then what the sums that are
kept for ever answer from these.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from zoneinfo import ZoneInfo

from benchmarks.database import database, fill_calls
from benchmarks.figure import TIMES, Figure, at_most, medians
from export_app.database import Database
from export_app.share import waiting_room
from export_app.stats.periods import starts
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.call_sums import Periods
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import GATEWAY
from tollbook.store.calls.stats import GroupedSums, sum_calls
from tollbook.store.calls.trunk_leg_stats import sum_trunk_legs
from tollbook.store.database import connect
from tollbook.store.sums.gateways import sum_gateways
from tollbook.store.sums.read import sum_cubes
from tollbook.store.sums.rollup import roll_up
from tollbook.times import MS_PER_DAY

_DAYS = 30
_SINCE = 20_600 * MS_PER_DAY
_UNTIL = _SINCE + _DAYS * MS_PER_DAY


def run(*, calls: int = 1_000_000, rounds: int = 5) -> Iterator[Figure]:
    """Yield how long each question takes, and that against the plain sum."""
    zone = ZoneInfo("Europe/Berlin")
    acme = OneAccount("account0")
    one = Selection(accounts=acme, since=_SINCE, until=_UNTIL)
    every = Selection(accounts=EveryAccount(), since=_SINCE, until=_UNTIL)
    week = Selection(accounts=EveryAccount(), since=_SINCE, until=_SINCE + 7 * MS_PER_DAY)
    busy = Selection(accounts=acme, since=_SINCE, until=_UNTIL, filters=Filters(disposition="busy"))
    hours = Periods(starts=list(starts("hour", zone, _SINCE, _UNTIL)))
    days = Periods(starts=list(starts("day", zone, _SINCE, _UNTIL)))
    with ExitStack() as stack:
        settings = stack.enter_context(database())
        connection = stack.enter_context(connect(settings.require_database_url(), name="bench", autocommit=True))
        connection.execute("INSERT INTO account (account_id, name) VALUES ('account0', 'Acme')")
        fill_calls(connection, 2 * calls, accounts=2, since=_SINCE, span=_UNTIL - _SINCE, trunk_legs=True)
        roll_up(connection)
        pool = Database(settings.require_database_url(), waiting_room())
        pool.open()
        stack.callback(pool.close)

        def ask(selection: Selection, groups: list[str | Periods], limit: int) -> GroupedSums:
            with pool.summing(selection.accounts) as reader:
                sums = sum_calls(reader, selection, groups, limit=limit)
            assert sums.more or not groups or sum(group.calls for _, group in sums.groups) == sums.total.calls
            return sums

        def kept(selection: Selection, groups: list[str | Periods], within_ms: int | None = None) -> GroupedSums:
            with pool.summing(selection.accounts) as reader:
                sums = sum_cubes(reader, selection, groups, limit=10_000, within_ms=within_ms)
            assert isinstance(sums, GroupedSums), sums
            return sums

        def trunk_legs() -> None:
            with pool.summing(every.accounts) as reader:
                found, _ = sum_trunk_legs(reader, week, [hours, GATEWAY], limit=10_000)
            assert found

        def gateways() -> None:
            with pool.summing(every.accounts) as reader:
                sums = sum_gateways(reader, every, [hours, GATEWAY], limit=10_000)
            assert not isinstance(sums, str), sums
            assert sum(group.legs for _, group in sums[0]) == 2 * calls

        assert kept(one, [hours, "disposition"]).total == ask(one, [], 1).total
        assert ask(one, [], 1).total.calls == calls
        assert ask(every, [], 1).total.calls == 2 * calls
        plain = "SELECT count(*), sum(billsec) FROM call_cdr WHERE account_id = 'account0'"
        questions: dict[str, Callable[[], object]] = {
            "count(*), sum(billsec), by hand": lambda: connection.execute(plain).fetchall(),
            "total": lambda: ask(one, [], 1),
            "by day": lambda: ask(one, [days], 1000),
            "by hour and disposition": lambda: ask(one, [hours, "disposition"], 10_000),
            "by prefix": lambda: ask(one, ["prefix"], 10),
            "by agent": lambda: ask(one, ["agent_id"], 10),
            "by hour, busy calls only": lambda: ask(busy, [hours], 1000),
            "by hour and disposition, every account": lambda: ask(every, [hours, "disposition"], 10_000),
        }
        questions |= {
            "kept sums: by hour and disposition": lambda: kept(one, [hours, "disposition"]),
            "kept sums: by hour and disposition, every account": lambda: kept(every, [hours, "disposition"]),
            "kept sums: by account": lambda: kept(every, ["account_id"]),
            "kept sums: by queue, with its figures": lambda: kept(one, ["queue_id"], within_ms=20_000),
            "kept sums: by day and agent, with their figures": lambda: kept(one, [days, "agent_id"], within_ms=20_000),
            "by gateway and hour, every account, 7 days": trunk_legs,
            "kept sums: by gateway and hour, every account": gateways,
        }
        least, *_ = times = medians(rounds, *questions.values())
        for name, time_s in zip(questions, times, strict=True):
            yield Figure(what=name, value=time_s * 1000, unit="ms")
            yield Figure(what=f"{name}, against by hand", value=time_s / least, unit=TIMES)
        of = dict(zip(questions, times, strict=True))
        ratio = of["kept sums: by hour and disposition"] / of["by hour and disposition"]
        what = "kept sums against the rows, by hour and disposition"
        yield Figure(what=what, value=ratio, unit=TIMES, bound=at_most(0.2))
