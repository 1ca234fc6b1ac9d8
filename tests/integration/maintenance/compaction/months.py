"""An archive with closed months of small files, and what is there of it."""

import datetime as dt
import hashlib
from collections import Counter

from psycopg import sql

from tests.archiving import MONTH, archive_now
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store.database import Connection

SEPTEMBER = (2026 - 1970) * 12 + 8


LATER = dt.datetime(2026, 12, 20, tzinfo=dt.UTC)


def files_by_partition(settings: Settings) -> Counter[tuple[str, int]]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        files = table.inspect.files().to_pylist()
    return Counter((file["partition"]["account_id"], file["partition"]["start_ts_month"]) for file in files)


def fill(settings: Settings, database: Connection, runs: int = 4, accounts: int = 3) -> None:
    """Several files for each account in September, and one in October."""
    for run in range(runs):
        names = [(f"r{run}a{account}c{number}", account, number) for account in range(accounts) for number in range(5)]
        # Runs overlap in time: neither files nor rows come in order.
        store(database, *(call(name, f"a{account}", START_MS + 7 * number + run) for name, account, number in names))
        if run == 0:
            store(database, call("october", "a0", START_MS + MONTH))
        archive_now(settings)


def everything(settings: Settings, database: Connection) -> dict[str, object]:
    """Every file below the data directory with its modes and a digest, and the catalog's tables with their rows."""
    found: dict[str, object] = {
        str(path): (path.stat().st_mode, path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest())
        for path in settings.data_dir.rglob("*")
    }
    tables = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'iceberg%'").fetchall()
    for (table,) in tables:
        found[table] = database.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
    return found
