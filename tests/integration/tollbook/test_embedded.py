"""The embedded PostgreSQL: it has one owner, never outlives it, and leaves nothing behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.waiting import wait_until
from tollbook.embedded import embedded_postgres, running_url
from tollbook.errors import SettingsError

OWNER = """
import sys, time
from pathlib import Path
from tollbook.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1]), fsync=False) as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the server may enter: under root it runs as another user, and pytest's folders are closed.

    The folder for temporary files is below it, so that other servers, which come and go, do not count.
    """
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        scratch = Path(folder) / "tmp"
        scratch.mkdir(mode=0o755)
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        monkeypatch.setenv("TMPDIR", str(scratch))
        yield Path(folder) / "data"


def scratch_folders() -> set[str]:
    return set(os.listdir(tempfile.gettempdir()))


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().splitlines()[0])


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_life_of_a_server(data_dir: Path) -> None:
    """It has one URL and one owner, keeps what was committed, and leaves no folder and no process behind."""
    assert running_url(data_dir) is None
    with embedded_postgres(data_dir, fsync=False) as url:
        assert running_url(data_dir) == url
        pid = server_pid(data_dir)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (x int)")
        with (
            pytest.raises(SettingsError, match=f"already serves {data_dir}.*TOLLBOOK_DATABASE_URL={re.escape(url)}"),
            embedded_postgres(data_dir),
        ):
            pass
        with psycopg.connect(url) as connection:  # the refused owner has not touched it
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        assert Path(url.partition("host=")[2]).stat().st_mode & 0o007 == 0
    assert running_url(data_dir) is None
    assert not alive(pid)
    assert scratch_folders() == set()
    # A client that is still connected does not keep the server from stopping, and the data are there at the next start.
    with embedded_postgres(data_dir, fsync=False) as url:
        lingering = psycopg.connect(url)
        assert lingering.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    lingering.close()
    assert scratch_folders() == set()


def test_an_error_of_the_owner_stops_the_server(data_dir: Path) -> None:
    pids: list[int] = []

    def own() -> None:
        with embedded_postgres(data_dir, fsync=False):
            pids.append(server_pid(data_dir))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        own()
    assert not alive(pids[0])
    assert scratch_folders() == set()


def test_the_server_dies_with_an_owner_that_is_killed(data_dir: Path) -> None:
    """After kill -9 of the owner the server is gone within seconds; the next owner finds everything committed."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, data_dir], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        pid = server_pid(data_dir)
        try:
            with psycopg.connect(url) as connection:
                connection.execute("CREATE TABLE kept (x int)")
        finally:
            owner.send_signal(signal.SIGKILL)
        owner.wait(10)
    wait_until(lambda: not alive(pid), 15.0, what=lambda: "the server outlives its owner")
    assert running_url(data_dir) is None
    with embedded_postgres(data_dir, fsync=False) as again, psycopg.connect(again) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["x"],
        ["999999999", "d", "0", "5432", "/tmp", "", "", "ready"],
        [str(os.getpid()), "d", "0", "5432", "/tmp", "", "", "starting"],
    ],
)
def test_a_pid_file_of_no_ready_server_is_not_believed(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "postgresql").mkdir()
    (tmp_path / "postgresql" / "postmaster.pid").write_text("\n".join(lines))
    assert running_url(tmp_path) is None


def test_a_closed_folder_is_named_and_not_widened(tmp_path: Path) -> None:
    """As root the server runs as another user, who may not enter it; as an ordinary user it runs as ourselves."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    refused = pytest.raises(SettingsError, match=r"who may not enter .*: set TOLLBOOK_DATA_DIR")
    with refused if os.geteuid() == 0 else contextlib.nullcontext(), embedded_postgres(closed, fsync=False):
        pass
    assert closed.stat().st_mode & 0o777 == 0o700
