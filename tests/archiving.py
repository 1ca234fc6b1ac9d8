"""Shared by the tests of the archive: calls to store, and both tiers read in the same form."""

import msgspec

from maintenance.archive.run import archive_calls
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.record import COLUMNS, Record, Row
from tollbook.model.selection import Selection
from tollbook.store import outbox
from tollbook.store.calls import call_rows
from tollbook.store.calls.pages import read_page
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.outbox import ClaimedBatch
from tollbook.times import MS_PER_DAY

START = 1_790_000_000_123  # 2026-09-21
MONTH = 31 * MS_PER_DAY
FOR_EVER = 4_000_000_000_000

Priced = tuple[Row, Price | None]


def call(name: str, account: str | None = "acme", start: int = START, **changed: object) -> Priced:
    """A completed, answered, priced call, or another by its fields; `cost_micros` belongs to the price."""
    cost = changed.pop("cost_micros", 1234)
    fields: dict[str, object] = {
        "switch": "sw1", "call_id": name, "account_id": account, "direction": "outbound", "from_num": "+49301",
        "to_num": "+4930123456", "start_ts": start, "answer_ts": start + 2001, "end_ts": start + 62_002,
        "duration_sec": 62, "billsec": 60, "answered": 1, "disposition": "answered",
        "hangup_cause": "NORMAL_CLEARING", "queue_id": None, "agent_id": None, "estimated": False, "parts": None,
    }  # fmt: skip
    row = msgspec.convert({**fields, **changed}, Row)
    part = PricedCharge(direction=row.direction, number=row.to_num, seconds=60, cost_micros=cost, rate="DE")
    unrated = "no such account" if cost is None else None
    return row, Price(cost_micros=cost, parts=(part,), unrated=unrated)


def open_call(name: str) -> Priced:
    """A call that is up: it has no end and no price yet."""
    ended = ("end_ts", "duration_sec", "billsec", "disposition", "hangup_cause")
    row, _ = call(name, answer_ts=None, answered=0, **dict.fromkeys(ended))
    return row, None


def store(connection: Connection, *rows: Priced) -> None:
    """Write rows as the listener does."""
    days = {row.start_ts // MS_PER_DAY for row, _ in rows}
    Partitions().ensure(connection, call_days=days, leg_days=())
    call_rows.upsert(connection, rows)


def stored(connection: Connection, account: str | None = None) -> list[Record]:
    """All that PostgreSQL holds, newest first, of an account or of all."""
    selection = Selection(accounts=_accounts(account), since=0, until=FOR_EVER)
    return read_page(connection, selection, COLUMNS, 1_000_000)


def archived(
    settings: Settings, account: str | None = None, *, limit: int | None = None, **selected: object
) -> list[Record]:
    """All that the archive holds, in the same form."""
    selection = Selection(**{"accounts": _accounts(account), "since": 0, "until": FOR_EVER, **selected})
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        return list(read_all(table, selection, limit=limit))


def _accounts(account: str | None) -> Accounts:
    return EveryAccount() if account is None else OneAccount(account)


def archive_now(settings: Settings) -> str:
    """Archive all that waits, and return what the command prints, without the time it took.

    rclone's S3 answers about one upload in a hundred with an Internal Error. Nothing is lost by that: the next run
    continues, here as with the timer.
    """
    try:
        done = archive_calls(settings, now=True)
    except ArchiveError as error:
        if "Internal Error" not in str(error):
            raise
        done = archive_calls(settings, now=True)
    return str(done).rpartition(",")[0]


def waiting(connection: Connection) -> int:
    """Return how many rows are in the outbox."""
    return connection.execute("SELECT count(*) FROM archive_outbox").fetchone()[0]


def claim(connection: Connection, limit: int = outbox.BATCH_ROWS) -> ClaimedBatch | None:
    """Claim what waits, of every account, as `archive run --now` does."""
    at = outbox.moment(connection)
    due = outbox.accounts_waiting(connection, at=at, before=at, rows=1, oldest_s=0)
    return outbox.claim(connection, before=at, accounts=[account.account_id for account in due], limit=limit)
