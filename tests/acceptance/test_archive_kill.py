"""`tollbook archive run` and `compact` are killed at random points under load; the archive holds every call once."""

import itertools
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import psycopg
import pytest
from pydantic import SecretStr

from tests.archiving import archived, stored
from tests.commands import Start
from tests.databases import store
from tests.factories import call
from tests.waiting import wait_until
from tollbook.archive._pyarrow import read_table
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import connect
from tollbook.times import MS_PER_DAY

ACCOUNTS = (None, "a", "b", "c", "d", "e", "f", "g")
# Three days, of two or three months, all of them closed.
FIRST_MS = int((time.time() - 150 * 86400) * 1000)
DAYS = (0, 1, 40)
LONGEST_S = 1.2
PATIENCE_S = 180.0


class Load(threading.Thread):
    """New calls, corrections, changes of account and deletions, as fast as PostgreSQL takes them, until `end`."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._url, self._random, self._end = url, Random(seed), threading.Event()
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            with connect(self._url, name="load", autocommit=True) as connection:
                keys: list[CallKey] = []
                for number in itertools.count():
                    if self._end.wait(0.02):
                        return
                    days = self._random.choices(DAYS, k=20)
                    fresh = [CallKey(FIRST_MS + day * MS_PER_DAY, f"{number}-{n}", "fs1") for n, day in enumerate(days)]
                    again = self._random.sample(keys, min(len(keys), 6))
                    rows = {key: self._row(key) for key in (*fresh, *again)}
                    store(connection, *rows.values())
                    keys += fresh
                    if number % 5 == 0:
                        gone = self._random.sample(keys, 2)
                        call_rows.delete(connection, gone)
                        keys = [key for key in keys if key not in gone]
        except Exception as error:  # noqa: BLE001 - the test fails with it
            self.failed = error

    def _row(self, key: CallKey) -> object:
        account = self._random.choice(ACCOUNTS)
        return call(key.call_id, account, key.start_ts, cost_micros=self._random.randrange(10**6))

    def end(self) -> None:
        self._end.set()
        self.join(30)


def wait_for_session(watcher: psycopg.Connection[tuple[object, ...]], process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has connected to the database or ended: a kill before that would test nothing."""
    query = (
        "SELECT FROM pg_stat_activity WHERE application_name IN ('tollbook archive', 'tollbook compact')"
        " AND datname = current_database()"
    )
    wait_until(
        lambda: process.poll() is not None or watcher.execute(query).fetchone() is not None, PATIENCE_S, every_s=0.005
    )


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_killed_at_random_points_under_load(start: Start, database_url: str, tmp_path: Path, kills: int) -> None:
    """After every kill of `archive run` or `compact` the next run repairs it; in the end both tiers are equal."""
    seed = random.SystemRandom().randrange(10**9)
    chance = Random(seed)
    load = Load(database_url, seed)
    ended: Counter[str] = Counter()
    with psycopg.connect(database_url, autocommit=True) as watcher:
        load.start()
        for number in range(kills):
            name = "compact" if number % 3 == 2 else "archive"
            arguments = ("archive", "compact", "--remove-orphans") if name == "compact" else ("archive", "run", "--now")
            victim = start(*arguments)
            wait_for_session(watcher, victim.process)
            time.sleep(chance.uniform(0, LONGEST_S))  # any moment will do: that is what is tested
            code = victim.stop(signal.SIGKILL)
            ended[f"{name} {'killed' if code == -signal.SIGKILL else 'was done'}"] += 1
            assert code in (0, -signal.SIGKILL), f"seed {seed}: {victim.output}"
            assert load.failed is None, f"seed {seed}: {load.failed}"
        load.end()
    for arguments in (("archive", "run", "--now"), ("archive", "compact")):
        last = start(*arguments)
        assert last.process.wait(PATIENCE_S) == 0, last.output
    print(f"seed {seed}: {dict(ended)}")  # noqa: T201 - shows with -s what the run was
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    with connect(database_url, name="test", autocommit=True) as connection:
        in_database = stored(connection)
        assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)
    in_archive = archived(settings)
    assert len(in_archive) > 100
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        ids = Counter(read_table(table, columns=("call_id",))["call_id"].to_pylist())
        files = Counter(str(file["partition"]) for file in table.inspect.files().to_pylist())
    assert [call_id for call_id, count in ids.items() if count > 1] == [], f"seed {seed}"
    assert in_archive == in_database, f"seed {seed}"
    assert set(files.values()) == {1}, f"seed {seed}: the last compaction left one file an account and month"
    assert ended.total() == kills
    killed = sum(count for how, count in ended.items() if how.endswith("killed"))
    assert killed >= kills // 4, f"seed {seed}: {ended}"
