"""Any sequence of runs, kills, compactions, restores and lost catalogs leaves each call in the archive once."""

import datetime as dt
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pyiceberg.catalog.sql import SqlCatalog

from maintenance.archive import announced
from maintenance.archive.attach import attach_archive
from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from tests.archiving import archived
from tests.databases import NewDatabase, store
from tests.factories import START_MS, call
from tollbook.config import Settings
from tollbook.errors import ArchiveForked, ArchiveLost
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection, connect
from tollbook.times import MS_PER_DAY

STEPS: Final = ("announced", "head", "metadata", "pointer", "finished")
ACTIONS: Final = ("call", "run", *STEPS, "compact", "back up", "restore", "lose the catalog", "catalog went back")
# All that a run reads or writes in the database: restored whole, it is as after a recovery to a point in time.
TABLES: Final = ("call_cdr", "archive_outbox", "archive_commit", "archive_disowned", "iceberg_tables", "hot_window")


class _Killed(BaseException):
    """Stands for a SIGKILL: nothing that catches errors catches it."""


class History:
    """A database and its archive. `kept`: the calls that must be found; `perhaps`: those of killed commits."""

    def __init__(self, database: Connection, settings_: Settings) -> None:
        self.database, self.settings = database, settings_
        self.calls = 0
        self.waiting, self.kept, self.perhaps = set[str](), set[str](), set[str]()
        self.backup: frozenset[str] | None = None

    def act(self, action: str) -> None:
        """Do one thing; a refusal changes nothing, and is repaired as its message says."""
        if action == "call":
            self.calls += 1
            name = f"c{self.calls}"
            self.waiting.add(name)
            store(self.database, call(name, start_ts=START_MS - 100 * MS_PER_DAY))
        elif action == "run":
            self._archive(lambda: archive_calls(self.settings, now=True))
        elif action in STEPS:
            with killed_at(action), suppress(_Killed):
                self._archive(lambda: archive_calls(self.settings, now=True))
        elif action == "compact":
            later = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
            self._refusable(lambda: compact_archive(self.settings, remove_orphans=True, now=later))
        elif action == "back up":
            self._back_up()
        elif action == "restore" and self.backup is not None:
            self._restore()
        elif action == "lose the catalog" and self._catalog_tables():
            self.database.execute("DELETE FROM iceberg_tables")
        elif action == "catalog went back" and self._catalog_tables():
            self.database.execute(
                "UPDATE iceberg_tables SET metadata_location = previous_metadata_location"
                " WHERE previous_metadata_location IS NOT NULL"
            )

    def end(self) -> None:
        """Archive what waits, and compare."""
        self.act("call")
        self.act("run")
        names = sorted(str(record[COLUMNS.index("call_id")]) for record in archived(self.settings))
        assert len(names) == len(set(names)), "a call is there twice"
        assert self.kept <= set(names) <= self.kept | self.perhaps

    def _archive(self, run: Callable[[], object]) -> None:
        self.perhaps |= self.waiting
        self._refusable(run)
        self.kept |= self.waiting
        self.waiting = set()

    def _refusable(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (ArchiveForked, ArchiveLost):
            with killed_at(None):
                attach_archive(self.settings)
            work()

    def _catalog_tables(self) -> bool:
        row = self.database.execute("SELECT to_regclass('iceberg_tables') IS NOT NULL").fetchone()
        return row is not None and row[0]

    def _back_up(self) -> None:
        for table in TABLES:
            self.database.execute(f"DROP TABLE IF EXISTS backup_{table}".encode())
            if table != "iceberg_tables" or self._catalog_tables():
                self.database.execute(f"CREATE TABLE backup_{table} AS TABLE {table}".encode())
        self.backup = frozenset(self.waiting)

    def _restore(self) -> None:
        self.database.execute("SET session_replication_role = replica")
        for table in TABLES:
            row = self.database.execute("SELECT to_regclass(%s) IS NOT NULL", (f"backup_{table}",)).fetchone()
            if table != "iceberg_tables" or self._catalog_tables():
                self.database.execute(f"DELETE FROM {table}".encode())
            if row is not None and row[0]:
                self.database.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE backup_{table}".encode())
        self.database.execute("RESET session_replication_role")
        self.waiting = set(self.backup or ())


@contextmanager
def killed_at(step: str | None) -> Generator[None]:
    """Kill the first commit at a step; None: no commit."""
    with pytest.MonkeyPatch.context() as patch:
        if step is not None:
            holder: Any = SqlCatalog if step == "metadata" else announced
            name = {
                "announced": "announce", "head": "write_head", "metadata": "_write_metadata", "pointer": "finish",
                "finished": "finish",
            }[step]  # fmt: skip
            original = getattr(holder, name)

            def die(*arguments: Any, **named: Any) -> None:
                patch.undo()
                if step != "pointer":
                    original(*arguments, **named)
                raise _Killed

            patch.setattr(holder, name, staticmethod(die) if step == "metadata" else die)
        yield


@pytest.mark.soak
@example(["call", "run", "back up", "call", "run", "restore", "call", "compact"])
@example(["call", "back up", "metadata", "call", "restore", "run"])
@example(
    ["call", "run", "back up", "call", "metadata", "call", "run", "call", "pointer", "restore", "lose the catalog"]
)
@given(st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=14))
@settings(max_examples=60, deadline=None)
def test_no_history_loses_or_doubles_a_call(new_database: NewDatabase, actions: list[str]) -> None:
    """Refused or not: after what the message says, every call that was archived or stored is there, and once."""
    with new_database() as url, tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        configured = Settings(database_url=SecretStr(url), data_dir=Path(folder))
        with connect(url, name="test", autocommit=True) as database:
            history = History(database, configured)
            for action in actions:
                history.act(action)
            history.end()
