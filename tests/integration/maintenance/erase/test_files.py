"""Erasing deletes the files of a call's legs: CDR files wherever they were moved, and dead letters."""

import errno
import os
import shutil
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from maintenance.erase.preview import preview
from maintenance.erase.run import erase_calls
from maintenance.recover.cdr_file import MAX_FILE_BYTES
from maintenance.recover.json_cdr import leg_of_file
from maintenance.recover.run import recover_calls
from tests.archiving import stored
from tests.factories import leg
from tests.integration.maintenance.erase.filled import request
from tests.integration.maintenance.erase.laid_files import OTHERS, OURS, lay, names, refuse
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.errors import SettingsError
from tollbook.model.event import header_names
from tollbook.spool_files import damaged_path, dead_letter_folder, refused_leg_path, spool_folders
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs


def test_cdr_files_go_with_their_calls(cdr_settings: Settings, database: Connection) -> None:
    """Those in done/, of every leg, also one that names no account; those that nobody has read yet; no other call's."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    ours, others = lay(folder, OURS, "acme"), lay(folder, OTHERS, "other")
    recover_calls(cdr_settings, folder)
    assert len(names(folder / "done")) == len(ours) + len(others)
    assert {row[1] for row in stored(database)} == {"acme", "other"}
    before = stored(database, "other")
    (unread,) = lay(folder, OURS, "acme")[:1]  # recover has not come yet
    for file in lay(folder, OURS, "acme")[1:]:
        file.unlink()
    report = erase_calls(cdr_settings, request())
    assert not unread.exists()
    assert names(folder) == {f"done/{path.name}" for path in others}
    assert report.erasure.counts[f"CDR files in {folder}"] == len(ours) + 1
    assert (stored(database, "acme"), stored(database, "other")) == ([], before)


def test_files_that_were_refused_go_by_what_they_hold(cdr_settings: Settings) -> None:
    """Cut off or damaged, they are no leg any more, and still hold an account or a number."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    for target in ("refused", "late"):
        (folder / target).mkdir()
    for name, account, recording in (("ours", "acme", OURS), ("other", "other", OTHERS)):
        (path,) = lay(folder, recording, account)[:1]
        (folder / "refused" / f"{name}.json").write_bytes(path.read_bytes()[:-9])
        for file in folder.glob("*.json"):
            shutil.move(file, folder / "late" / f"{name}-{file.name}")
    erase_calls(cdr_settings, request())
    left = names(folder)
    assert "refused/other.json" in left
    assert "refused/ours.json" not in left
    assert {name for name in left if name.startswith("late/ours")} == set()
    assert len(left) == 1 + len(list((CALLS / OTHERS / "json_cdr").iterdir()))


def test_a_link_in_the_switch_s_folder_leads_nowhere(cdr_settings: Settings, tmp_path: Path) -> None:
    """The switch's user owns the folder: a link there is not followed, whatever it leads to."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (target,) = lay(elsewhere, OURS, "acme")[:1]
    (folder / "link.json").symlink_to(target)
    erase_calls(cdr_settings, request())
    assert target.exists()


def test_dead_letters_go_with_their_calls(cdr_settings: Settings, letters: Path) -> None:
    """A refused leg of the account, a leg of that leg, a damaged stretch with the account's name; no other's."""
    refuse(letters, "z-root", account="acme")
    refuse(letters, "b-child", parent="z-root")  # read before its root
    refuse(letters, "a-grandchild", parent="b-child")
    refuse(letters, "of-other", account="other")
    refuse(letters, "of-nobody")
    damaged_path(letters, "1").write_bytes(b'\xff\x00{"account":"acme","caller":"+49')
    damaged_path(letters, "2").write_bytes(b'\xff\x00{"account":"other","caller":"+49')
    erase_calls(cdr_settings, request())
    assert {path.name for path in letters.iterdir()} == {
        "leg-of-other.json", "leg-of-nobody.json", "damaged-2.bin",
    }  # fmt: skip


def test_what_an_owner_s_number_names_goes_too(cdr_settings: Settings, database: Connection) -> None:
    """A leg without an account that dialled a number of the account: it is the account's, as its row would be."""
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="acme", plan_id=None))
    tariffs.add_numbers(database, "acme", ["+4930123456"])
    letters = dead_letter_folder(cdr_settings.data_dir)
    letters.mkdir(parents=True)
    for name, dialed in (("ours", "+4930123456"), ("other", "+4930123457")):
        content = {"reason": "a NUL", "leg": leg(name, dialed=dialed)}
        refused_leg_path(letters, name).write_bytes(msgspec.json.encode(content))
    erase_calls(cdr_settings, request())
    assert [path.name for path in letters.iterdir()] == ["leg-other.json"]


def test_a_leg_s_file_in_another_folder_than_its_parent_s(cdr_settings: Settings, letters: Path) -> None:
    """A dead letter of the account, the CDR file of a leg of that leg, a dead letter of a leg of this one."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    legs = {path: leg_of_file(path.read_bytes(), header_names()) for path in lay(folder, OURS, "acme")}
    parents = {path: made.create.parent for path, made in legs.items() if made.create is not None}
    child, parent = next((path, parent) for path, parent in parents.items() if parent is not None)
    (root,) = (path for path, made in legs.items() if made.uid == parent.uid)
    for path in legs.keys() - {child}:
        path.unlink()
    below = leg("a-grandchild", start_us=legs[child].created_us + 1, parent=legs[child].uid)
    grandchild = msgspec.structs.replace(below, switch=legs[child].switch)
    for name, made in (("a", grandchild), ("z", legs[root])):
        refused_leg_path(letters, name).write_bytes(msgspec.json.encode({"reason": "a NUL", "leg": made}))
    erase_calls(cdr_settings, request())
    assert not child.exists()
    assert list(letters.iterdir()) == []


def test_files_that_a_backup_brings_back_do_not_bring_the_calls_back(
    cdr_settings: Settings, database: Connection
) -> None:
    """`recover` refuses them and says what they are; another account's calls, and later ones, are read."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    laid = [*lay(folder, OURS, "acme"), *lay(folder, OTHERS, "other")]
    recover_calls(cdr_settings, folder)
    before = stored(database, "other")
    assert erase_calls(cdr_settings, request()).erasure.calls == 1
    ours = lay(folder, OURS, "acme")
    for path in ours[1:]:  # one by one, in no order: a leg alone says whose it was
        path.rename(path.with_suffix(".kept"))
    for path in ours:
        path.with_suffix(".kept").rename(path) if path is not ours[0] else None
        report = recover_calls(cdr_settings, folder)
        assert (report.refused, report.erased, report.legs) == (1, 1, 0)
        assert "1 of calls that were erased, which are not brought back" in str(report)
        assert (folder / "refused" / path.name).exists()
    lay(folder, OTHERS, "other")
    assert recover_calls(cdr_settings, folder).refused == 0
    assert (stored(database, "acme"), stored(database, "other")) == ([], before)
    assert database.execute("SELECT count(*) FROM call_leg").fetchone() == (len(laid) - len(ours),)


def test_a_file_that_cannot_be_read_keeps_the_erasure_unfinished(
    cdr_settings: Settings, letters: Path, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and nothing that it could lead to is deleted; once it can be read, the same command finishes."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    ours = refuse(letters, "ours", account="acme")
    files = lay(folder, OURS, "acme")
    open_file = os.open

    def denied(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == files[0].name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_file(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", denied)  # root, as which the tests may run, reads every file
        with pytest.raises(SettingsError, match=str(files[0])):
            erase_calls(cdr_settings, request())
    assert ours.exists()
    assert names(folder) == {path.name for path in files}
    assert database.execute("SELECT count(*) FROM erasure WHERE finished_at IS NULL").fetchone() == (1,)
    assert not (cdr_settings.data_dir / "receipts").exists()
    assert erase_calls(cdr_settings, request()).erasure.finished_ts is not None
    assert (names(folder), ours.exists()) == (set(), False)


def test_too_large_files_are_searched(cdr_settings: Settings, letters: Path) -> None:
    """Wherever the account stands, also across two blocks; other accounts' files stay."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    fields = {"ours": b'"accountcode":"acme"', "other": b'"accountcode":"other","dialed":"acme"'}
    for name, field in fields.items():
        for at in (0, MAX_FILE_BYTES - 7, 2 * MAX_FILE_BYTES - 9, 2 * MAX_FILE_BYTES + 100):
            (folder / f"{name}-{at}.json").write_bytes(b"x" * at + field + b"x" * (3 * MAX_FILE_BYTES - at))
    damaged_path(letters, "1").write_bytes(b"x" * MAX_FILE_BYTES + b'"account":"acme"')
    erase_calls(cdr_settings, request())
    assert list(letters.iterdir()) == []
    assert {name.partition("-")[0] for name in names(folder)} == {"other"}
    assert len(names(folder)) == 4


@pytest.mark.parametrize("number", [None, "1001"])
def test_damaged_files_of_another_account_that_dialled_it_stay(
    cdr_settings: Settings, letters: Path, number: str | None
) -> None:
    """An account may be called 1001 or default, as numbers and contexts are: only the account's own field counts."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    cut = {
        "other": b'{"variables":{"accountcode":"globex","user_context":"1001","dialed":"1001',
        "nobody": b'{"variables":{"dialed":"1001","x',
        "ours": b'{"variables":{"x\\"":"", "accountcode": "1001","dialed":"1001","a\x00b":"',
        "encoded": b'{"variables":{"accountcode":"%31001","dialed":"1001",',
    }
    for name, content in cut.items():
        (folder / f"{name}.json").write_bytes(content)
    damaged_path(letters, "ours").write_bytes(b'\xff"account":"1001","dialed":"1001","c')
    damaged_path(letters, "other").write_bytes(b'\xff"account":"other","dialed":"1001","c')
    erase_calls(cdr_settings, request("1001", number=number))
    assert names(folder) == {"other.json", "nobody.json"}
    assert [path.name for path in letters.iterdir()] == ["damaged-other.bin"]


def test_what_it_shows_names_the_listener_s_folders_that_are_missing(
    cdr_settings: Settings, database: Connection
) -> None:
    """The listener may run elsewhere: what it could not write is not reached from here."""
    settings = cdr_settings
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="acme", plan_id=None))
    missing = (spool_folders(settings.data_dir)[0], dead_letter_folder(settings.data_dir))
    assert f"not there: {missing[0]} and {missing[1]}" in str(preview(settings, request()))
    for folder in missing:
        folder.mkdir(parents=True)
    assert "not there" not in str(preview(settings, request()))


def test_memory_is_bounded_however_many_damaged_files_there_are(cdr_settings: Settings) -> None:
    """Of 40 files of 2 MB a few are held at once."""
    folder = cdr_settings.cdr_dir
    assert folder is not None
    for number in range(40):
        (folder / f"{number}.json").write_bytes(b"x" * MAX_FILE_BYTES)
    tracemalloc.start()
    try:
        erase_calls(cdr_settings, request())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * MAX_FILE_BYTES / 2
