"""Archived calls, found by the index of call ids and without it."""

import datetime as dt
import random
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Any

from pyiceberg.table import Table

from maintenance.compaction.call_ids import index_some
from tests.factories import START_MS, Call, call
from tollbook.archive.by_id import KnownFiles, find_by_id
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import Accounts, EveryAccount
from tollbook.model.call_key import CallKey
from tollbook.model.wanted_calls import WantedCalls
from tollbook.times import MS_PER_DAY

MONTH = 31 * MS_PER_DAY
EVERY = EveryAccount()
AFTER_ALL = dt.datetime(2028, 1, 1, tzinfo=dt.UTC)


def made(count: int, *, prefix: str = "c", accounts: Collection[str] = ("acme", "other")) -> list[Call]:
    """Calls of some accounts over three months."""
    dice = random.Random(prefix)
    return [
        call(f"{prefix}{number}", dice.choice(sorted(accounts)), START_MS + dice.randrange(3) * MONTH + number)
        for number in range(count)
    ]


@contextmanager
def loaded(settings: Settings) -> Generator[Table]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        yield table


def find(
    table: Table, call_id: str, accounts: Accounts = EVERY, *, known: KnownFiles | None = None, **asked: Any
) -> dict[CallKey, dict[str, Any]]:
    wanted = WantedCalls(**{"call_id": call_id, "accounts": accounts, "first_ms": 0, "end_ms": 2**60} | asked)
    return find_by_id(table, wanted, known or KnownFiles(), within_s=60)


def find_indexed(table: Table, call_id: str) -> list[CallKey]:
    """Find a call and fail if any data file is searched: the index has them all."""
    wanted = WantedCalls(call_id=call_id, accounts=EveryAccount(), first_ms=0, end_ms=2**60)
    return list(find_by_id(table, wanted, KnownFiles(), within_s=0))


def index_all(table: Table) -> int:
    total = 0
    while (calls := index_some(table)) is not None:
        total += calls
    return total
