"""Calls at noon of a day, and what pruning leaves of them."""

from typing import Any

from maintenance.prune.report import PruneReport
from maintenance.prune.run import prune_days
from tests import databases, factories
from tests.factories import FOR_EVER_MS, Call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23


DAY = TODAY - 31  # the newest day that is older than 30 days


def call(name: str, day: int = DAY, account: str | None = "acme", **changed: Any) -> Call:
    """A call at noon of a day."""
    return factories.call(name, account, noon_ms(day), **changed)


def noon_ms(day: int) -> int:
    return day * MS_PER_DAY + MS_PER_DAY // 2


def put(connection: Connection, *calls: Call) -> None:
    databases.store(connection, *calls, with_legs=True)


def kept(connection: Connection) -> set[str]:
    return {call_id for (call_id,) in connection.execute("SELECT call_id FROM call_cdr")}


def archived(settings: Settings) -> list[Record]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        return list(read_all(table, Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)))


def pruned(settings: Settings, *, today: int = TODAY, dry_run: bool = False) -> PruneReport:
    return prune_days(settings, today=today, dry_run=dry_run)
