"""Any sequence of changes, dumps, restores and killed commands leaves each call once, as it was last known."""

import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from pydantic import SecretStr

from tests.archiving import archived, stored
from tests.commands import TOLLBOOK, environment
from tests.databases import NewDatabase, dump, restore, store
from tests.factories import call as factory_call
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.times import MS_PER_DAY, current_day, date_of

TODAY: Final = current_day()
RETENTION: Final = 30
ACTIONS: Final = ("record", "change", "begin earlier", "join", "archive", "compact", "prune", "restore a day")
ROUNDS: Final = 2
LONGEST_S: Final = 3.0  # of a command that is killed
PATIENCE_S: Final = 120.0

#: A version that grows with each change, and a call's start and cost; None when it was deleted.
State = tuple[int, tuple[int, int] | None]


class Installation:
    """A database and its archive; what is known of each call now, in the archive, and in the dump."""

    def __init__(self, chance: Random, settings: Settings, connection: Connection, new_database: NewDatabase) -> None:
        self.chance, self.settings, self.connection = chance, settings, connection
        self._new_database, self._opened = new_database, ExitStack()
        self._dump: Path = settings.data_dir.parent / "dump"
        self.now: dict[str, State] = {}
        self.in_archive: dict[str, State] = {}
        self.in_dump: dict[str, State] | None = None
        self._versions = iter(range(1, 1_000_000))

    def close(self) -> None:
        self._opened.close()

    def run(self, *arguments: str, kill: bool) -> int:
        """Run the installed command; if `kill`, it is killed at a random moment unless it has ended."""
        url, data_dir = self.settings.require_database_url(), str(self.settings.data_dir)
        ours = environment(database_url=url, data_dir=data_dir, retention_days=str(RETENTION))
        process = subprocess.Popen([TOLLBOOK, *arguments], env=ours, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if kill:
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.chance.uniform(0.3, LONGEST_S))
            process.send_signal(signal.SIGKILL)
        output, _ = process.communicate(timeout=PATIENCE_S)
        if not kill and process.returncode not in (0, 64):
            pytest.fail(f"{arguments} ended with {process.returncode}:\n{output.decode()}")
        return process.returncode

    def write(self, name: str, start_ts: int, end_ts: int | None = None) -> None:
        cost = self.chance.randrange(10_000)
        account = self.chance.choice(["acme", "beta", None])
        changed: dict[str, Any] = {} if end_ts is None else {"end_ts": end_ts}
        store(self.connection, factory_call(name, account, start_ts, cost_micros=cost, **changed), with_legs=True)
        self.now[name] = (next(self._versions), (start_ts, cost))

    def delete(self, name: str) -> int:
        """Delete a call as a batch does whose legs belong to another; return its start."""
        _, known = self.now[name]
        assert known is not None
        call_rows.delete(self.connection, [CallKey(known[0], name, "fs1")])
        self.now[name] = (next(self._versions), None)
        return known[0]

    def some(self, most: int) -> Iterator[str]:
        """Yield some calls of the window: a row that was pruned is not changed here."""
        since = (TODAY - RETENTION + 1) * MS_PER_DAY
        names = [name for name, (_, known) in self.now.items() if known is not None and known[0] > since]
        yield from self.chance.sample(names, min(most, len(names)))

    def start_of(self, name: str) -> int:
        _, known = self.now[name]
        assert known is not None
        return known[0]

    def act(self, action: str) -> None:
        """Do one thing."""
        if action == "record":
            for _ in range(self.chance.randint(1, 30)):
                day = self.chance.randint(TODAY - 36, TODAY - 1)
                self.write(f"c{len(self.now)}", day * MS_PER_DAY + self.chance.randint(4_000_000, 80_000_000))
        elif action == "change":
            for name in list(self.some(3)):
                self.write(name, self.start_of(name))
        elif action == "begin earlier":
            for name in list(self.some(3)):
                start_ts = self.delete(name)
                self.write(name, start_ts - self.chance.randint(1, 3_900_000), start_ts + 64_000)
        elif action == "join":
            for part, whole in zip(*[self.some(2)] * 2, strict=False):
                self.delete(part)
                self.write(whole, self.start_of(whole))
        elif action == "archive":
            self.archive(kill=self.chance.random() < 0.5)
        elif action == "dump":
            dump(self.settings.require_database_url(), self._dump)
            self.in_dump = dict(self.now)
        elif action == "restore" and self.in_dump is not None and self.in_archive:
            self.restore(self.in_dump)
        elif action == "compact" and self.in_archive:
            self.run("archive", "compact", "--remove-orphans", kill=True)
        elif action == "prune" and self.in_archive:
            self.run("prune", kill=True)
        elif action == "restore a day" and self.in_archive:
            row = self.connection.execute("SELECT window_start FROM hot_window").fetchone()
            assert row is not None
            if row[0]:
                self.run("archive", "restore", str(date_of(row[0] // MS_PER_DAY - 1)), kill=True)

    def archive(self, *, kill: bool) -> None:
        if kill:
            self.run("archive", "run", "--now", kill=True)
        assert self.run("archive", "run", "--now", kill=False) == 0
        self.in_archive = dict(self.now)

    def restore(self, in_dump: dict[str, State]) -> None:
        """Restore the dump into a new database, and attach the archive; the newer state of each call counts."""
        url = self._opened.enter_context(self._new_database())
        with connect(url, name="test", autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        restore(url, self._dump)
        self.connection = self._opened.enter_context(connect(url, name="test", autocommit=True))
        self.settings = self.settings.model_copy(update={"database_url": SecretStr(url)})
        for _ in range(self.chance.randint(0, 3)):
            self.run("archive", "attach", kill=True)
        self.run("archive", "attach", kill=False)
        names = {*in_dump, *self.in_archive}
        never: State = (0, None)
        self.now = {name: max(in_dump.get(name, never), self.in_archive.get(name, never)) for name in names}


@pytest.mark.soak
@pytest.mark.parametrize("run", range(2))
def test_each_call_is_there_once(
    settings: Settings, database: Connection, new_database: NewDatabase, tmp_path: Path, run: int
) -> None:
    """In the archive, as it was last known to one of the two; a deleted one in neither."""
    seed = random.SystemRandom().randrange(10**9) + run
    (tmp_path / "data").mkdir()
    made = Installation(
        Random(seed), settings.model_copy(update={"data_dir": tmp_path / "data"}), database, new_database
    )
    try:
        for _ in range(ROUNDS):
            made.act("record")
            for action in (*made.chance.sample(ACTIONS, 2), "dump", *made.chance.sample(ACTIONS, 5), "archive"):
                made.act(action)
            made.act("restore")
        made.archive(kill=False)
        found = sorted((str(row[0]), (row[5], row[15])) for row in archived(made.settings))
        wanted = sorted((name, known) for name, (_, known) in made.now.items() if known is not None)
        assert found == wanted, f"seed {seed}"
        ours = [row[0] for row in stored(made.connection)]
        assert len(ours) == len(set(ours)), f"seed {seed}"
    finally:
        made.close()
