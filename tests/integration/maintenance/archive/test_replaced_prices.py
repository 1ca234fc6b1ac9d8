"""A price that only the archive has is kept when its row is replaced there; on local files and on S3."""

from collections.abc import Callable
from typing import Any

import pytest

from maintenance.archive import commit, run
from maintenance.prune.run import prune_days, requeue_day
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import call
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23
DAY = TODAY - 31  # the newest day that is older than 30 days
NOON = DAY * MS_PER_DAY + MS_PER_DAY // 2


def history(database: Connection) -> list[tuple[Any, ...]]:
    return database.execute(
        "SELECT call_id, revision, account_id, cost_micros, currency, parts, cause FROM price_history ORDER BY call_id"
    ).fetchall()


def put(database: Connection, name: str, cost: int | None, **fields: Any) -> None:
    row, price = call(name, **{"start_ts": NOON, "cost_micros": cost} | fields)
    store(database, (row, price), with_legs=True)


def test_a_row_that_comes_after_its_day_was_pruned(settings: Settings, database: Connection) -> None:
    """A late leg has it folded again from all its legs: PostgreSQL knows nothing of the price that it replaces."""
    for name in ("dearer", "same", "moved", "unrated"):
        put(database, name, None if name == "unrated" else 5, account_id="acme")
    before = dict(database.execute("SELECT call_id, parts FROM call_cdr").fetchall())
    archive_now(settings)
    assert prune_days(settings, today=TODAY).days == 1
    put(database, "dearer", 7)
    put(database, "same", 5, billsec=61)
    put(database, "moved", 5, account_id="other")
    put(database, "unrated", 6)
    assert history(database) == []
    archive_now(settings)
    currency = "EUR"
    assert history(database) == [
        ("dearer", 1, "acme", 5, currency, before["dearer"], "archive"),
        ("moved", 1, "acme", 5, currency, before["moved"], "archive"),
        ("unrated", 1, "acme", None, currency, before["unrated"], "archive"),
    ]
    (reason,) = database.execute("SELECT unrated FROM price_history WHERE call_id = 'unrated'").fetchone() or ()
    assert reason == "archived without the reason"


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_run_that_was_cut_short_keeps_each_price_once(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before its commit or after it: the next run either keeps the price again, which is seen, or need not."""
    put(database, "a", 5)
    archive_now(settings)
    prune_days(settings, today=TODAY)
    put(database, "a", 7)
    owner, name = (commit, "exchange_files") if step == "before" else (run.outbox, "acknowledge")
    real: Callable[..., Any] = getattr(owner, name)

    def cut_short(*_: Any) -> None:
        monkeypatch.setattr(owner, name, real)
        raise ArchiveError("cut short")

    monkeypatch.setattr(owner, name, cut_short)
    with pytest.raises(ArchiveError, match="cut short"):
        archive_now(settings)
    assert [row[:4] for row in history(database)] == [("a", 1, "acme", 5)]
    archive_now(settings)
    assert [row[:4] for row in history(database)] == [("a", 1, "acme", 5)]


def test_a_price_that_postgresql_had_is_kept_by_it_alone(settings: Settings, database: Connection) -> None:
    """The row was archived at its first price and has its third: both are in the history once, whoever looks."""
    put(database, "a", 5)
    archive_now(settings)
    put(database, "a", 6)
    put(database, "a", 7)
    database.execute("UPDATE archive_outbox SET deleted = true")  # so that the archiver looks for it
    archive_now(settings)
    assert [row[1:4] + row[-1:] for row in history(database)] == [(1, "acme", 5, "other"), (2, "acme", 6, "other")]


def test_an_archive_that_differs_leaves_its_price(settings: Settings, database: Connection) -> None:
    """`prune --send-again` replaces what it holds by what PostgreSQL has, and nobody's price is lost by that."""
    put(database, "a", 5)
    archive_now(settings)
    with database.transaction():
        database.execute("SET LOCAL session_replication_role = replica")  # without the trigger: a database from before
        database.execute("UPDATE call_cdr SET cost_micros = 9")
    assert requeue_day(settings, DAY) == 1
    archive_now(settings)
    assert [row[:4] + row[-1:] for row in history(database)] == [("a", 1, "acme", 5, "archive")]
