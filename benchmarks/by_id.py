"""A call of the archive by its id alone: `calls` calls of each of `accounts` accounts in each of `months` months.

As after compaction, each account has a file a month. Each look-up loads the table, as the API does. The first one of a
process reads the lists of all data files, which those after it know. Without the index the data files are searched: an
account's, and once everybody's. Then the index is written, by the compaction's own function, in one process.
"""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import write_file
from pyiceberg.table import Table, WriteTask

from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import TIMES, Figure, at_most, medians, seconds
from maintenance.archive.commit import exchange_files
from maintenance.archive.data_files import partition_key
from maintenance.archive.hashed_files import HashingFileIO, WrittenFile
from maintenance.archive.table import ensure_table
from maintenance.compaction.call_ids import index_some
from maintenance.compaction.months import begin_of
from tollbook.archive.call_ids import FOLDER
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.wanted_calls import WantedCalls
from tollbook.store.database import Connection, connect

_FIRST_MONTH = (2024 - 1970) * 12
_FILES_AT_ONCE = 100
_FOR_EVER_MS = 2**60


def _account(number: int) -> str:
    return f"account{number:05d}"


def _call_id(account: int, month: int, number: int) -> str:
    return f"{account:08x}-{month:04x}-4f1e-9d3a-{number:012x}"


class _Template:
    """The calls of an account's month: a file's rows, but for what is its own."""

    def __init__(self, calls: int) -> None:
        self._rows = rows(calls, 1, since_ms=0).sort_by("start_ts")
        self._numbers = pa.array([f"{number:012x}" for number in range(calls)])

    def of(self, account: int, month: int) -> Any:
        begin_us = int(begin_of(_FIRST_MONTH + month).timestamp()) * 1_000_000
        own = {
            "call_id": pc.binary_join_element_wise(_call_id(account, month, 0)[:24], self._numbers, ""),
            "account_id": pa.array([_account(account)]).take(pa.array([0] * len(self._numbers))),
        }
        for name in ("start_ts", "answer_ts", "end_ts"):
            later = pc.add(self._rows[name].cast(pa.int64()), begin_us)
            own[name] = later.cast(self._rows.schema.field(name).type)
        columns = [own.get(field.name, self._rows[field.name]) for field in self._rows.schema]
        return pa.table(columns, schema=self._rows.schema)


def _fill(connection: Connection, catalog: Catalog, template: _Template, accounts: int, months: int) -> None:
    """Write a file of each account and month, a month in each commit."""
    for month in range(months):
        table = ensure_table(catalog, connection)
        written: list[WrittenFile] = []
        for first in range(0, accounts, _FILES_AT_ONCE):
            io = HashingFileIO(table.io)
            tasks = (
                WriteTask(
                    write_uuid=uuid4(),
                    task_id=account,
                    schema=table.schema(),
                    record_batches=template.of(account, month).combine_chunks().to_batches(),
                    partition_key=partition_key(table, _account(account), _FIRST_MONTH + month),
                )
                for account in range(first, min(first + _FILES_AT_ONCE, accounts))
            )
            written += [io.written(file) for file in write_file(io=io, table_metadata=table.metadata, tasks=tasks)]
        exchange_files(table, [], written, {})


class _LookUps:
    """Looks up random calls, and fails if one is not found."""

    def __init__(self, settings: Settings, accounts: int, months: int, calls: int) -> None:
        self._settings, self._amounts = settings, (accounts, months, calls)
        self._dice = random.Random(1)
        self._archive = Archive(settings, lambda: True)

    def known(self, *, operator: bool) -> None:
        """Look up a call that is there."""
        account, month, number = (self._dice.randrange(amount) for amount in self._amounts)
        accounts = EveryAccount() if operator else OneAccount(_account(account))
        assert len(self._find(self._archive, _call_id(account, month, number), accounts)) == 1

    def unknown(self) -> None:
        """Look up an id that no call has, for an operator."""
        assert not self._find(self._archive, str(uuid4()), EveryAccount())

    def first_of_a_process(self) -> None:
        """Look up a call as a process does that has read nothing yet: `tollbook explain`, without its start."""
        archive = Archive(self._settings, lambda: True)
        assert len(self._find(archive, _call_id(0, 0, 0), EveryAccount())) == 1
        archive.close()

    def close(self) -> None:
        self._archive.close()

    @staticmethod
    def _find(archive: Archive, call_id: str, accounts: Accounts) -> Any:
        wanted = WantedCalls(call_id=call_id, accounts=accounts, first_ms=0, end_ms=_FOR_EVER_MS)
        return archive.find_by_id(wanted, within_s=3600)


def _bytes_in(table: Table, folder: str) -> int:
    root = Path(table.location().removeprefix("file://")) / folder
    return sum(path.stat().st_size for path in root.rglob("*.parquet"))


def _index(table: Table) -> None:
    while index_some(table) is not None:
        pass


def run(*, accounts: int = 50, months: int = 24, calls: int = 4_000, rounds: int = 20) -> Iterator[Figure]:
    """Yield the times of look-ups, and what the index takes."""
    total = accounts * months * calls
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        begun = dt.datetime.now(dt.UTC)
        _fill(connection, catalog, _Template(calls), accounts, months)
        yield Figure(what=f"{total:,} calls written", value=(dt.datetime.now(dt.UTC) - begun).total_seconds(), unit="s")
        table = load_calls(catalog)
        assert table is not None
        look_up = _LookUps(settings, accounts, months, calls)
        (searched_s,) = medians(3, lambda: look_up.known(operator=False))
        all_searched_s = seconds(lambda: look_up.known(operator=True))
        indexing_s = seconds(lambda: _index(table))
        account_s, operator_s, unknown_s, first_s = medians(
            rounds,
            lambda: look_up.known(operator=False),
            lambda: look_up.known(operator=True),
            look_up.unknown,
            look_up.first_of_a_process,
        )
        look_up.close()
        index, data = _bytes_in(table, FOLDER), _bytes_in(table, "data")
    of = f"of {total:,} calls"
    yield Figure(what=f"by id {of}, an account's", value=account_s * 1000, unit="ms")
    yield Figure(what=f"by id {of}, an operator's", value=operator_s * 1000, unit="ms", bound=at_most(100))
    yield Figure(what=f"an unknown id {of}, an operator's", value=unknown_s * 1000, unit="ms")
    yield Figure(what=f"by id {of}, the first of a process", value=first_s * 1000, unit="ms")
    yield Figure(what="an account's without the index, time against with it", value=searched_s / account_s, unit=TIMES)
    yield Figure(what="an operator's without the index", value=all_searched_s, unit="s")
    yield Figure(what="the index", value=index / total, unit="bytes a call")
    yield Figure(what="the index, of the data files", value=100 * index / data, unit="%")
    yield Figure(what="ids indexed", value=total / indexing_s, unit="calls/s")
