"""One `tollbook recover` at a time works in a folder, and one on a database."""

import errno
import fcntl
import re
import shutil
import socket
import threading
from pathlib import Path

import psycopg
import pytest

from maintenance.recover.cdr_folder import open_folder
from maintenance.recover.run import recover_calls
from tests.commands import Start, Tollbook
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.config import Settings

(WHOLE,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")


def test_one_at_a_time_in_a_folder(tollbook: Tollbook, folder: Path) -> None:
    """The second one says so and ends well; with 75 if it was to wait for the other, and waited in vain."""
    shutil.copy(WHOLE, folder)
    with open_folder(folder) as other:
        assert other.lock(0)
        done = tollbook("recover", str(folder))
        said = "nothing done: another `tollbook recover` is reading this folder\n"
        assert (done.returncode, done.stdout) == (0, said)
        done = tollbook("recover", "--wait", "0.3", str(folder))
        assert done.returncode == 75
        assert "is reading this folder, and did not end within 0.3 s" in done.stderr
    assert list(folder.glob("*.json"))
    assert "1 files read" in tollbook("recover", str(folder)).stdout


def test_one_that_waits_goes_on_when_the_other_ends(settings: Settings, folder: Path) -> None:
    shutil.copy(WHOLE, folder)
    reports: list[int] = []
    with open_folder(folder) as other:
        assert other.lock(0)
        waiting = threading.Thread(target=lambda: reports.append(recover_calls(settings, folder, wait_s=30).files))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(30)
    assert reports == [1]


def test_one_at_a_time_for_a_database(
    tollbook: Tollbook, start: Start, folder: Path, elsewhere: Path, database_url: str
) -> None:
    """A second one, in another folder, says which process of which machine is at work, and since when."""
    shutil.copy(WHOLE, folder)
    shutil.copy(WHOLE, elsewhere)
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE call_leg")  # the first one is in the middle of its work
        first = start("recover", str(folder))
        wait_until(lambda: _waits(database_url))
        second = tollbook("recover", str(elsewhere))
        holder = rf"`tollbook recover {first.process.pid}@{re.escape(socket.gethostname())}`, session \d+ of PostgreSQL"
        said = rf"nothing done: another `tollbook recover` is writing to this database: {holder}, since 20\d\d-.* UTC\n"
        assert second.returncode == 0
        assert re.fullmatch(said, second.stdout)
        waited = tollbook("recover", "--wait", "0.3", str(elsewhere))
        assert waited.returncode == 75
        assert re.search(f"{holder}, since .* UTC, and did not end within 0.3 s: try again later", waited.stderr)
        assert list(elsewhere.glob("*.json"))
    assert first.process.wait(30) == 0
    assert "1 files read" in tollbook("recover", str(elsewhere)).stdout


def _waits(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'call_leg'::regclass"
        ).fetchone()
    return bool(row and row[0])


def test_two_at_once_in_a_folder_that_cannot_be_locked(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS locks no folder: the database's lock lets one go after the other, and nobody fails."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr("maintenance.recover.run.BATCH_FILES", 3)
    names = [name for name in sorted(CALLS.iterdir()) if (name / "json_cdr").is_dir()][:20]
    files = [file for name in names for file in (name / "json_cdr").iterdir()]
    for file in files:
        shutil.copy(file, folder)
    reports: list[int] = []

    def recover() -> None:
        reports.append(recover_calls(settings, folder, wait_s=60).files)

    both = [threading.Thread(target=recover) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    read_files = len({file.name for file in files})
    assert sorted(reports) == [0, read_files]
    assert len(list((folder / "done").iterdir())) == read_files
    with psycopg.connect(settings.require_database_url()) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT call_id), max(revision) FROM call_cdr").fetchone()
    assert found
    assert found[0] == found[1] > 0
