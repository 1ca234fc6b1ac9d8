"""Archived calls over the API: an account's month against pyiceberg alone, an operator's page against an account's.

The month is walked page by page, as an integrator does, and compared with the same lines of CSV made by one scan of
pyiceberg, the catalog opened for it, and the csv module. The operator's page has the newest calls of a month in which
each of `accounts` accounts has some: each in a file of its own.
"""

import contextlib
import csv
import io
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pyarrow
import pyarrow.compute
import pyiceberg.expressions as ex

from benchmarks.api import Client
from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import TIMES, Figure, at_most, medians
from benchmarks.processes import running
from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.schema import TIMES as TIME_COLUMNS
from tollbook.config import Settings
from tollbook.model.record import COLUMNS
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

pa: Any = pyarrow
pc: Any = pyarrow.compute

_MONTH_MS = 1_735_689_600_000  # 2025-01-01: the account's month
_NEXT_MS = _MONTH_MS + 31 * MS_PER_DAY  # the month of many accounts
_ACCOUNT = "account00000"
_PAGE_ROWS = 10_000
_OPERATOR_ROWS = 100


def run(*, calls: int = 200_000, accounts: int = 10_000, each: int = 20, rounds: int = 5) -> Iterator[Figure]:
    """Yield the figures: `calls` of one account in a month, and `each` of `accounts` accounts in the next."""
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(database())
        url = settings.require_database_url()
        connection = stack.enter_context(connect(url, name="bench", autocommit=True))
        _fill(settings, connection, calls, accounts, each)
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        serve = {"database_url": url, "data_dir": str(settings.data_dir), "rate_limit": "1000000"}
        stack.enter_context(running("serve", api_bind=f"127.0.0.1:{port}", **serve))
        tariffs.add_account(connection, tariffs.Account(account_id=_ACCOUNT, name="Acme", plan_id=None))
        account = Client(port, keys.create(connection, account_id=_ACCOUNT, scopes=["cdr"])[1])
        operator = Client(port, keys.create(connection, account_id=None, scopes=["operator"])[1])
        account.wait_until_up()
        month = f"since={_MONTH_MS}&until={_NEXT_MS}"
        pages = -(-calls // _PAGE_ROWS)
        assert _walk(account, month) == _straight(settings)
        walk_s, straight_s = medians(rounds, lambda: _walk(account, month), lambda: _straight(settings))
        of = f"an account's month of {calls:,} archived calls in {pages} pages of CSV"
        yield Figure(what=of, value=walk_s, unit="s")
        yield Figure(what=f"{of}, time against pyiceberg", value=walk_s / straight_s, unit=TIMES, bound=at_most(1.2))
        page = f"since={_NEXT_MS}&until={_NEXT_MS + 28 * MS_PER_DAY}&limit={{}}"
        own, all_of = (page.format(min(count, _OPERATOR_ROWS)) for count in (each, accounts * each))
        account_s, operator_s = medians(
            rounds, lambda: _page(account, own, each), lambda: _page(operator, all_of, accounts * each)
        )
        of, ratio = f"an operator's page of a month of {accounts:,} accounts", operator_s / account_s
        yield Figure(what=of, value=operator_s * 1000, unit="ms")
        yield Figure(what=f"{of}, time against an account's", value=ratio, unit=TIMES, bound=at_most(3))


def _fill(settings: Settings, connection: Connection, calls: int, accounts: int, each: int) -> None:
    """Archive both months, and let the window begin after them."""
    with open_catalog(settings, writing=True) as catalog:
        for batch in (
            rows(calls, 1, since_ms=_MONTH_MS),
            rows(accounts * each, accounts, since_ms=_NEXT_MS),
        ):
            commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batch, corrections=()))
    today_ms = time.time_ns() // 1_000_000 // MS_PER_DAY * MS_PER_DAY
    connection.execute("UPDATE hot_window SET window_start = %s", (today_ms - 30 * MS_PER_DAY,))


def _walk(client: Client, month: str) -> bytes:
    """Read all pages of a month, and return them without their headers."""
    parts: list[bytes] = []
    cursor = ""
    while True:
        headers, body = client.get(f"format=csv&raw=1&limit={_PAGE_ROWS}&{month}{cursor}")
        parts.append(body.partition(b"\r\n")[2])
        if (following := headers["X-Next-Cursor"]) is None:
            return b"".join(parts)
        cursor = f"&cursor={following}"


def _straight(settings: Settings) -> bytes:
    """Write the same lines with pyiceberg, pyarrow and the csv module alone."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        begins, ends = "2025-01-01T00:00:00+00:00", "2025-02-01T00:00:00+00:00"
        wanted = ex.And(
            ex.EqualTo("account_id", _ACCOUNT),
            ex.And(ex.GreaterThanOrEqual("start_ts", begins), ex.LessThan("start_ts", ends)),
        )
        found: Any = table.scan(row_filter=wanted, selected_fields=(*COLUMNS, "switch")).to_arrow()
    found = found.sort_by([(name, "descending") for name in ("start_ts", "call_id", "switch")])
    columns = [
        (pc.divide(found[name].cast(pa.int64()), 1000) if name in TIME_COLUMNS else found[name]).to_pylist()
        for name in COLUMNS
    ]
    text = io.StringIO()
    csv.writer(text).writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _page(client: Client, query: str, calls: int) -> None:
    _, body = client.get(f"format=csv&raw=1&{query}")
    assert body.count(b"\n") - 1 == min(calls, _OPERATOR_ROWS)
