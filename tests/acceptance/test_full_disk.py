"""A full disk: the spool's, or PostgreSQL's own."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import disks
from tests.acceptance.metrics import Metrics
from tests.acceptance.played import RECORDINGS, Calls, found
from tests.acceptance.server import Server
from tests.commands import Start
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import connect
from tollbook.store.days.partitions import make_ready


@pytest.fixture
def database_url(server: Server) -> str:
    """A fresh, migrated database on the server that the tests stop."""
    return server.fresh_database()


@pytest.fixture
def small_disk() -> Iterator[Callable[[str], Path | None]]:
    """Mount a file system of a size; None where we may not mount one."""
    with contextlib.ExitStack() as mounted:
        yield lambda size: mounted.enter_context(disks.small_disk(f"size={size}"))


@pytest.mark.parametrize("full", ["the bound", "the disk"])
def test_a_full_spool(
    start: Start,
    server: Server,
    database_url: str,
    metrics: Metrics,
    small_disk: Callable[[str], Path | None],
    full: str,
) -> None:
    """A full spool raises an alarm; legs stay in memory, the reader goes on, and nothing is lost."""
    settings = {"spool_max": "300K"}
    if full == "the disk" and (disk := small_disk("400k")):
        settings = {"data_dir": str(disk)}
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind, **settings)
        switch.wait_for_subscriber(20)
        server.stop()
        calls.play(300).result(30)
        listener.wait_for("nothing can be spooled: ")
        assert metrics["spool_full"] == 1
        assert metrics["spool_bytes"] <= 400 * 1024
        calls.play(100).result(30)
        assert metrics["legs_waiting"] > 0
        server.start()
        metrics.wait_until_written()
        metrics.wait_until("spool_full", lambda value: value == 0)
        listener.end()
    assert found(database_url) == calls.rows


@pytest.fixture
def database_on_small_disk(
    server: Server, database_url: str, small_disk: Callable[[str], Path | None]
) -> Iterator[Callable[[], Path | None]]:
    """Move the test's database to a file system of 100 MB, and yield it; None where we may not mount one."""
    name = conninfo_to_dict(database_url)["dbname"]
    moved = False

    def move() -> Path | None:
        nonlocal moved
        if disk := small_disk("100m"):
            owner = (server.folder / "postgresql").stat()
            (disk / "space").mkdir()
            os.chown(disk / "space", owner.st_uid, owner.st_gid)
            server.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'space'}'")
            server.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
            moved = True
        return disk

    yield move
    if moved:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.execute("DROP TABLESPACE small")


@contextmanager
def no_space_left(database_url: str, disk: Path) -> Iterator[str]:
    """Fill a disk with a file that is not PostgreSQL's; yield the error that PostgreSQL then reports."""
    filling = disk / "filling"
    with psycopg.connect(database_url) as connection:
        try:
            with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            with pytest.raises(psycopg.errors.DiskFull) as refused:
                connection.execute("CREATE TABLE full_disk AS SELECT generate_series(1, 100000)")
            assert refused.value.sqlstate == "53100"
            yield "No space left on device"
        finally:
            filling.unlink()


@contextmanager
def files_too_large(server: Server, database_url: str) -> Iterator[str]:
    """Let no PostgreSQL file grow beyond the size of a WAL segment: this needs no rights, and stops the same write."""
    with connect(database_url, name="test", autocommit=True) as connection:
        make_ready(connection)
        days = connection.execute("SELECT relid::text FROM pg_partition_tree('call_leg') WHERE isleaf").fetchall()
        for (day,) in days:
            connection.execute(f"ALTER TABLE {day} SET (fillfactor = 10)")  # one leg a page: large after a few calls
    try:
        _limit_files(server, str(16 * 1024 * 1024))
        yield "File too large"
    finally:
        _limit_files(server, "unlimited")


def _limit_files(server: Server, size: str) -> None:
    """Limit the process that accepts connections, whose limit each new one has, and then those that are there."""
    _limit_files_of(server.pid, size)
    for pid in server.of_listener():
        _limit_files_of(pid, size)


def _limit_files_of(pid: int, size: str) -> None:
    folder = Path(f"/proc/{pid}")
    try:
        owner = folder.stat()
        # As its owner: root may lack the right to change other users' limits.
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"]
        as_root = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, **as_root)
    except (FileNotFoundError, subprocess.CalledProcessError):
        if folder.exists():
            raise


@pytest.mark.parametrize("full", ["its file system", "a limit on its files"])
def test_postgresql_s_disk_is_full(
    start: Start,
    server: Server,
    database_url: str,
    metrics: Metrics,
    database_on_small_disk: Callable[[], Path | None],
    full: str,
) -> None:
    """When PostgreSQL has no room for a table's next page, what it refuses is spooled until there is room."""
    disk = database_on_small_disk() if full == "its file system" else None
    with SwitchThread() as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        with no_space_left(database_url, disk) if disk else files_too_large(server, database_url) as said:
            calls.play(2_000).result(30)
            listener.wait_for("legs wait on disk")
            assert "could not extend file" in listener.output
            assert said in listener.output
            assert found(database_url) != calls.rows
        metrics.wait_until_written(timeout_s=60)
        listener.end()
    assert found(database_url) == calls.rows
