"""Lines of Master.csv of calls of the past, and what both tiers have after they were imported."""

import datetime as dt
import time
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.selection import Selection

ARCHIVED = (
    "call_id",
    "account_id",
    "direction",
    "start_ts",
    "billsec",
    "cost_micros",
    "imported",
    "switch",
    "revision",
)
NOON = int(time.time()) // 86_400 * 86_400 - 43_200  # of yesterday


def stamp(epoch_s: int) -> str:
    return f"{dt.datetime.fromtimestamp(epoch_s, dt.UTC):%Y-%m-%d %H:%M:%S}"


def line(uid: str, days_ago: int = 0, *, account: str = "acme", answered: bool = True, **changed: str) -> str:
    """A call of a minute by the template `example`, at noon of so many days before yesterday, UTC."""
    start = NOON - days_ago * 86_400
    values = {
        "caller_id_name": "Joe", "caller_id_number": "1001", "destination_number": "442079460000",
        "context": "default", "start_stamp": stamp(start), "answer_stamp": stamp(start + 5) if answered else "",
        "end_stamp": stamp(start + 65), "duration": "65", "billsec": "60" if answered else "0",
        "hangup_cause": "NORMAL_CLEARING" if answered else "NO_ANSWER", "uuid": uid, "bleg_uuid": "",
        "accountcode": account, "read_codec": "PCMA", "write_codec": "PCMA",
    }  # fmt: skip
    return ",".join(f'"{value}"' for value in (values | changed).values()) + "\n"


def hot(url: str) -> list[dict[str, Any]]:
    """The rows of PostgreSQL."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM call_cdr ORDER BY start_ts, call_id").fetchall()


def archived(settings: Settings) -> list[dict[str, Any]]:
    """The calls of the archive, the oldest first."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        if table is None:
            return []
        selection = Selection(accounts=EveryAccount(), since=0, until=4_000_000_000_000)
        found = [dict(zip(ARCHIVED, row, strict=True)) for row in read_all(table, selection, columns=ARCHIVED)]
    return sorted(found, key=lambda row: (row["start_ts"], row["call_id"]))
