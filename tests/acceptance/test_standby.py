"""A primary and a standby that follows it: what becomes of the calls when the primary is lost for good."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.metrics import Metrics
from tests.acceptance.played import RECORDINGS, Calls, found
from tests.acceptance.server import Server
from tests.acceptance.test_kill import NAMES
from tests.commands import Start
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.schema import upgrade

pytestmark = pytest.mark.soak  # two servers of their own for each; test_outage.py has a failing over in seconds

REPLICATING = ("wal_level=replica", "max_wal_senders=4", "hot_standby=on")


class Pair:
    """A primary with a migrated database, and a standby that follows it."""

    def __init__(self, folder: Path) -> None:
        self.primary = Server(folder / "primary", REPLICATING)
        self.standby = Server(folder / "standby", REPLICATING)
        for server in (self.primary, self.standby):
            server.folder.mkdir()
        self.primary.start()
        self.primary.execute("CREATE DATABASE tollbook")
        upgrade(self.primary["tollbook"])
        self.standby.copy_and_follow(self.primary)
        wait_until(self._follows, 30)

    @property
    def url(self) -> str:
        """Both hosts, the standby first, without target_session_attrs: Tollbook adds that."""
        hosts = f"{self.standby.folder / 'address'},{self.primary.folder / 'address'}"
        return f"postgresql://postgres@/tollbook?host={hosts}"

    def wait_for_standby(self) -> None:
        """Let a commit end when the standby has it."""
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self._state() == "sync", 30)

    def _follows(self) -> bool:
        return self._state() != ""

    def _state(self) -> str:
        with psycopg.connect(self.primary.url) as connection:
            row = connection.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'").fetchone()
        return row[0] if row else ""


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Not below pytest's folder: as root the servers are somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    folder.chmod(0o711)
    made = Pair(folder)
    yield made
    made.standby.stop()
    made.primary.stop()
    shutil.rmtree(folder)


def test_a_synchronous_standby_has_every_call(start: Start, pair: Pair, metrics: Metrics) -> None:
    """The primary is lost while calls are written: each is there once and right, with nothing read from files."""
    pair.wait_for_standby()
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind, database_url=pair.url)
        switch.wait_for_subscriber(20)
        playing = calls.play(600)
        metrics.wait_until("rows_written_total", lambda value: value > 100)
        pair.primary.crash()
        pair.standby.execute("SELECT pg_promote()")
        playing.result(60)
        metrics.wait_until_written()
        listener.end()
    assert found(pair.standby["tollbook"]) == calls.rows


def test_what_an_asynchronous_standby_lacks_is_in_the_cdr_files(
    start: Start, pair: Pair, metrics: Metrics, tmp_path: Path
) -> None:
    """The standby is behind when the primary is lost: `tollbook recover` brings back what was committed there alone."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with SwitchThread(json_cdr_dir=folder) as switch:
        calls = Calls(switch, [load(CALLS / name) for name in NAMES])
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind, database_url=pair.url)
        switch.wait_for_subscriber(20)
        calls.play(100).result(60)
        metrics.wait_until_written()
        pair.standby.stop()
        calls.play(100).result(60)
        metrics.wait_until_written()
        pair.primary.crash()
        pair.standby.start()
        pair.standby.execute("SELECT pg_promote()")
        lost = calls.rows.keys() - found(pair.standby["tollbook"]).keys()
        calls.play(100).result(60)
        metrics.wait_until_written()
        recover = start("recover", str(folder), database_url=pair.url)
        assert recover.process.wait(120) == 0, recover.output
        listener.end()
    assert len(lost) >= 100
    assert found(pair.standby["tollbook"]) == calls.rows
