"""The folder of CDR files belongs to the switch's user: nothing in it leads us elsewhere, waits or fills memory."""

import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from maintenance.recover.cdr_file import MAX_FILE_BYTES, ParsedFile, read_file
from maintenance.recover.cdr_folder import CdrFolder, open_folder
from maintenance.recover.json_cdr import MAX_CONTAINERS
from maintenance.recover.run import _Recovery, recover_calls
from tests.commands import Tollbook
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.errors import SettingsError
from tollbook.model.event import header_names

HEADERS = header_names()
(WHOLE,) = (CALLS / "outbound_answered" / "json_cdr").glob("a_*")


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
        opened.move("hostile.json", opened.version("hostile.json"), "done")
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
    assert found
    assert (found.name, found.leg, found.problem) == (name, None, problem)
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


def meanwhile(monkeypatch: pytest.MonkeyPatch, step: str, change: Callable[[], object]) -> None:
    """Change the folder once, after its files were listed (`names`) or after their legs were committed (`_write`)."""
    owner: Any = CdrFolder if step == "names" else _Recovery
    real = getattr(owner, step)

    def then_change(*arguments: Any) -> Any:
        done = real(*arguments)
        monkeypatch.setattr(owner, step, real)
        change()
        return done

    monkeypatch.setattr(owner, step, then_change)


def test_files_that_go_away_meanwhile_are_named_and_the_rest_is_read(
    tollbook: Tollbook, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed between listing and reading: the others are read, and the command ends with 75. Before, it ended with 0
    and a line that did not count them."""
    put(folder, WHOLE.read_bytes(), "a.json")
    put(folder, WHOLE.read_bytes(), "b.json")
    meanwhile(monkeypatch, "names", (folder / "a.json").unlink)
    done = tollbook("recover", str(folder))
    assert done.returncode == 75
    assert "1 files read, 1 legs new or changed, 1 went away before they were read" in done.stdout
    assert f"a file went away before it was read file={folder / 'a.json'}" in done.stderr
    assert f"1 files of {folder} went away before they were read" in done.stderr
    assert [path.name for path in (folder / "done").iterdir()] == ["b.json"]
    assert tollbook("recover", str(folder)).returncode == 0


def test_a_folder_that_goes_away_meanwhile_is_no_success(
    tollbook: Tollbook, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, WHOLE.read_bytes())
    meanwhile(monkeypatch, "names", lambda: shutil.rmtree(folder))
    done = tollbook("recover", str(folder))
    assert done.returncode == 75
    assert "0 files read, 0 legs new or changed, 1 went away" in done.stdout


def test_a_file_that_another_program_moves_after_it_was_read_is_no_error(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, WHOLE.read_bytes())
    meanwhile(monkeypatch, "_write", (folder / "hostile.json").unlink)
    done = recover_calls(settings, folder)
    assert (done.files, done.legs, done.gone, done.waiting) == (1, 1, 0, 0)


@pytest.mark.parametrize("how", ["replaced", "written to"])
def test_a_file_that_is_replaced_meanwhile_stays(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The next run reads it. Before, it was moved to done/ unread, and its leg was lost."""
    other = next((CALLS / "outbound_486_busy" / "json_cdr").glob("a_*")).read_bytes()
    put(folder, WHOLE.read_bytes())

    def change() -> None:
        if how == "replaced":
            put(folder, other, "new")
            (folder / "new").rename(folder / "hostile.json")
        else:
            (folder / "hostile.json").write_bytes(other)

    meanwhile(monkeypatch, "_write", change)
    first = recover_calls(settings, folder)
    assert (first.files, first.legs, first.waiting) == (0, 1, 1)
    second = recover_calls(settings, folder)
    assert (second.files, second.legs, second.waiting) == (1, 1, 0)
    assert (folder / "done" / "hostile.json").read_bytes() == other


def test_a_lone_surrogate_costs_its_letter_only(settings: Settings, folder: Path) -> None:
    """No encoding holds it: in any text, the name of the switch included."""
    content = WHOLE.read_bytes().replace(b"acct_alpha", b"\\ud800x").replace(b'"fs-lab"', b'"fs\\udfff"')
    put(folder, content)
    assert recover_calls(settings, folder).legs == 1
    with psycopg.connect(settings.require_database_url()) as connection:
        found = connection.execute("SELECT account_id, switch FROM call_cdr").fetchall()
    assert found == [("\ufffdx", "fs\ufffd")]
