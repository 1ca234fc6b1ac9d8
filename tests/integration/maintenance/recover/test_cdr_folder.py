"""The folder of CDR files belongs to the switch's user: nothing in it leads us elsewhere, waits or fills memory."""

import errno
import fcntl
import os
import shutil
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from maintenance.recover.cdr_file import MAX_FILE_BYTES, ParsedFile, read_file
from maintenance.recover.cdr_folder import open_folder
from maintenance.recover.json_cdr import MAX_CONTAINERS
from maintenance.recover.report import RecoveryReport
from maintenance.recover.run import recover_calls
from tests.commands import Tollbook
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.errors import SettingsError
from tollbook.model.event import header_names

HEADERS = header_names()
(WHOLE,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(tmp_path / "data"))
    return Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "json_cdr"
    made.mkdir()
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    made = tmp_path / "elsewhere"
    made.mkdir()
    return made


def read(folder: Path, name: str) -> ParsedFile | None:
    with open_folder(folder) as opened:
        return read_file(opened, name, HEADERS)


def put(folder: Path, content: bytes, name: str = "hostile.json") -> str:
    """Write a file that nobody is writing any more."""
    (folder / name).write_bytes(content)
    os.utime(folder / name, (0, 0))
    return name


@pytest.mark.parametrize("target", ["done", "refused", "late"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_a_target_that_is_no_real_folder_is_refused(
    tollbook: Tollbook, folder: Path, elsewhere: Path, target: str, kind: str
) -> None:
    """Whoever owns the folder could lead our files, and what they replace, anywhere. Nothing is moved."""
    shutil.copy(WHOLE, folder)
    if kind == "file":
        (folder / target).write_text("")
    else:
        (folder / target).symlink_to(elsewhere if kind == "link" else elsewhere / "nowhere")
    done = tollbook("recover", str(folder))
    assert done.returncode == SettingsError.exit_code
    assert f"{folder / target} must be a real folder" in done.stderr
    assert [path.name for path in folder.glob("*.json")] == [WHOLE.name]
    assert not list(elsewhere.iterdir())


def test_a_target_that_becomes_a_link_meanwhile_leads_nowhere(folder: Path, elsewhere: Path) -> None:
    """Files go to the folder that was there at the start."""
    (folder / "done").mkdir()
    put(folder, b"{}")
    with open_folder(folder) as opened:
        (folder / "done").rename(folder / "was-done")
        (folder / "done").symlink_to(elsewhere)
        opened.move("hostile.json", "done")
    assert [path.name for path in (folder / "was-done").iterdir()] == ["hostile.json"]
    assert not list(elsewhere.iterdir())


def test_a_target_on_another_file_system_is_refused(folder: Path) -> None:
    """Files are moved by renaming, which no file can do across file systems."""
    with open_folder(folder) as opened, pytest.raises(SettingsError, match="another file system"):
        opened._open_target("/proc")  # an absolute path, because no test may mount one


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[" + b"[]," * 5_500_000 + b"[]]", f"larger than {MAX_FILE_BYTES} bytes"),
        (b"[" + b"[]," * 650_000 + b"[]]", f"more than {MAX_CONTAINERS} lists and objects in it"),
        (b'{"a":' * (MAX_CONTAINERS - 1), "lists or objects in it are nested too deeply"),
        (b"[" * MAX_CONTAINERS, "lists or objects in it are nested too deeply"),
    ],
    ids=["16 MB of lists", "2 MB of lists", "deep objects", "deep lists"],
)
def test_a_file_that_would_fill_memory_is_not_parsed(folder: Path, content: bytes, problem: str) -> None:
    """16 MB of lists took 416 MB; now nothing takes four times what a file may have."""
    name = put(folder, content)
    tracemalloc.start()
    try:
        found = read(folder, name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == ParsedFile(name=name, problem=problem)
    assert peak < 4 * MAX_FILE_BYTES


def test_such_files_are_set_aside_and_the_rest_goes_on(settings: Settings, folder: Path) -> None:
    put(folder, b"[" + b"[]," * 650_000 + b"[]]", "a.json")
    put(folder, b" " * (MAX_FILE_BYTES + 1), "b.json")
    shutil.copy(WHOLE, folder / "c.json")
    done = recover_calls(settings, folder)
    assert (done.files, done.refused, done.legs) == (3, 2, 1)
    assert sorted(path.name for path in (folder / "refused").iterdir()) == ["a.json", "b.json"]
    assert [path.name for path in (folder / "done").iterdir()] == ["c.json"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.symlink_to(WHOLE), "cannot be read"),
        (os.mkfifo, "not a regular file"),
    ],
    ids=["a link", "a named pipe"],
)
def test_what_is_no_file_is_set_aside(
    settings: Settings, folder: Path, make: Callable[[Path], None], problem: str
) -> None:
    """A pipe that nobody writes to would hold us up for ever; a link could lead to any file that we may read."""
    make(folder / "odd.json")
    found = read(folder, "odd.json")
    assert found
    assert problem in (found.problem or "")
    assert recover_calls(settings, folder).refused == 1
    assert not list(folder.glob("*.json"))


def test_a_file_that_is_gone_is_no_error(folder: Path) -> None:
    """Another `recover` has read and moved it."""
    assert read(folder, "gone.json") is None
    with open_folder(folder) as opened:
        opened.move("gone.json", "done")


def test_a_lone_surrogate_costs_its_letter_only(settings: Settings, folder: Path) -> None:
    """No encoding holds it: in any text, the name of the switch included."""
    content = WHOLE.read_bytes().replace(b"acct_alpha", b"\\ud800x").replace(b'"fs-lab"', b'"fs\\udfff"')
    put(folder, content)
    assert recover_calls(settings, folder).legs == 1
    with psycopg.connect(settings.require_database_url()) as connection:
        found = connection.execute("SELECT account_id, switch FROM call_cdr").fetchall()
    assert found == [("\ufffdx", "fs\ufffd")]


def test_one_at_a_time_in_a_folder(tollbook: Tollbook, folder: Path) -> None:
    """The second one says so and ends well; with 75 if it was to wait for the other, and waited in vain."""
    shutil.copy(WHOLE, folder)
    with open_folder(folder) as other:
        assert other.lock(0)
        done = tollbook("recover", str(folder))
        assert (done.returncode, done.stdout) == (0, f"{RecoveryReport(busy=True)}\n")
        done = tollbook("recover", "--wait", "0.3", str(folder))
        assert done.returncode == 75
        assert "another `tollbook recover` has been reading" in done.stderr
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


def test_two_at_once_without_a_lock_double_nothing(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS locks no folder: each file is read once or twice, each call written once, and nobody fails."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr("maintenance.recover.run.BATCH_FILES", 3)
    names = [name for name in sorted(CALLS.iterdir()) if (name / "json_cdr").is_dir()][:20]
    files = [file for name in names for file in (name / "json_cdr").iterdir()]
    for file in files:
        shutil.copy(file, folder)
    reports: list[int] = []
    both = [threading.Thread(target=lambda: reports.append(recover_calls(settings, folder).refused)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert reports == [0, 0]
    assert len(list((folder / "done").iterdir())) == len({file.name for file in files})
    with psycopg.connect(settings.require_database_url()) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT call_id), max(revision) FROM call_cdr").fetchone()
    assert found
    assert found[0] == found[1] > 0
