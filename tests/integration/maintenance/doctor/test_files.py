"""`tollbook doctor` on this machine's files: disks, the data directory, CDR files, the backup's stamp."""

import contextlib
import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands import Tollbook
from tests.disks import small_disk
from tests.integration.maintenance.doctor.test_cli import examined

DAY = 86_400


def filled(disk: Path) -> None:
    """Write until there is no room, in steps that a file system can take."""
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def aged(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_a_full_disk(tollbook: Tollbook) -> None:
    """Of the data directory; before, with too little for what the spool may need."""
    with small_disk("size=1m,mode=0755") as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here")
        _, found = examined(tollbook("doctor", "--json", data_dir=str(disk)))
        check = f"disk {disk}"
        assert found[check]["status"] == "WARN"
        assert "an outage of PostgreSQL may need 1.0 GiB" in found[check]["found"]
        _, found = examined(tollbook("doctor", "--json", data_dir=str(disk), spool_max="64K"))
        assert found[check]["status"] == "OK"
        switches = ",".join(f"esl://:x@127.0.0.1:{port}" for port in (1, 2, 3))
        shared = {"esl": switches, "spool_max": "512K", "listen_workers": "3"}
        _, found = examined(tollbook("doctor", "--json", data_dir=str(disk), **shared))
        assert "an outage of PostgreSQL may need 1.5 MiB" in found[check]["found"]  # each worker has a spool
        assert found["settings"]["found"] == f"3 switches shared by 3 workers, data in {disk}"
        filled(disk)
        code, found = examined(tollbook("doctor", "--json", data_dir=str(disk), spool_max="64K"))
        assert (code, found[check]["status"]) == (2, "FAIL")
        assert found[check]["found"].startswith("full: 0 bytes of 1.0 MiB")
        assert found[check]["commands"][0] == f"df -h {disk}"


def test_a_disk_without_inodes(tollbook: Tollbook) -> None:
    """Files cannot be made, whatever room there is."""
    with small_disk("size=8m,nr_inodes=20,mode=0755") as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here")
        with contextlib.suppress(OSError):
            for number in range(50):
                (disk / str(number)).touch()
        _, found = examined(tollbook("doctor", "--json", data_dir=str(disk), spool_max="64K"))
        assert found[f"disk {disk}"]["status"] == "FAIL"
        assert found[f"disk {disk}"]["found"].endswith("0 of 20 inodes are free (0%)")
        assert found[f"disk {disk}"]["commands"][0] == f"df -i {disk}"


def test_a_read_only_disk(tollbook: Tollbook) -> None:
    """Its owner could write, and nobody can; the disk of the CDR files is looked at like that of the data."""
    with small_disk("size=8m,mode=0755") as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here")
        (disk / "json_cdr").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        _, found = examined(tollbook("doctor", "--json", data_dir=str(disk)))
        assert found["data directory"]["status"] == "OK"
        assert found[f"disk {disk}"]["status"] == "FAIL"
        assert found[f"disk {disk}"]["found"].startswith("mounted read-only")
        remount = found[f"disk {disk}"]["commands"][1]
        _, found = examined(tollbook("doctor", "--json", cdr_dir=str(disk / "json_cdr")))
        assert found[f"disk {disk / 'json_cdr'}"]["status"] == "FAIL"
        subprocess.run(["bash", "-c", remount], check=True)
        (disk / "written").touch()


def test_another_user_s_data_directory(tollbook: Tollbook, tmp_path: Path) -> None:
    """What a command as root left in it is named, with the command that gives it back, and which leaves all else."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a folder to another user")
    nobody = pwd.getpwnam("nobody")
    data = tmp_path / "data"
    (data / "archive" / "calls").mkdir(parents=True)
    (data / "postgresql").mkdir()
    for path in (data, data / "archive"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    _, found = examined(tollbook("doctor", "--json"))
    assert found["data directory"]["status"] == "FAIL"
    assert "1 of its files and folders do not belong to nobody, such as" in found["data directory"]["found"]
    (command,) = found["data directory"]["commands"]
    subprocess.run(["bash", "-c", command], check=True)
    assert (data / "archive" / "calls").owner() == "nobody"
    assert (data / "postgresql").owner() == "root"
    (data / "dead-letters").mkdir()
    os.chown(data / "dead-letters", nobody.pw_uid, nobody.pw_gid)
    (data / "dead-letters" / "leg-1.json").touch()
    os.chown(data / "dead-letters" / "leg-1.json", nobody.pw_uid, nobody.pw_gid)
    _, found = examined(tollbook("doctor", "--json"))
    assert found["data directory"]["status"] == "OK"
    assert found["dead letters"]["commands"][0] == "runuser -u nobody -- tollbook spool list"
    data.chmod(0o500)
    _, found = examined(tollbook("doctor", "--json"))
    assert found["data directory"]["found"].endswith("belongs to nobody, and cannot be written")


def test_a_relative_data_directory(tollbook: Tollbook) -> None:
    """Each process would have its own."""
    _, found = examined(tollbook("doctor", "--json", data_dir="data"))
    assert found["data directory"]["status"] == "FAIL"
    assert found["data directory"]["found"].startswith("data is relative")


def test_cdr_files_pile_up(tollbook: Tollbook, tmp_path: Path) -> None:
    """Those that nobody reads, and those that were read long ago; the commands clear both, and no other file."""
    folder = tmp_path / "json_cdr"
    (folder / "done").mkdir(parents=True)
    for name, days in (("a.json", 0.0), ("done/b.json", 31.5), ("done/c.json", 2.0)):
        (folder / name).write_bytes(b"x" * 2048)
        aged(folder / name, days)
    (folder / "notes.txt").touch()
    aged(folder / "notes.txt", 400)
    _, found = examined(tollbook("doctor", "--json", cdr_dir=str(folder)))
    assert (found["CDR files"]["status"], found["CDR files done"]["status"]) == ("OK", "WARN")
    assert found["CDR files"]["found"] == "1 files, 2.0 KiB, the oldest 0 s old to be read"
    assert found["CDR files done"]["found"] == "2 files, 4.0 KiB, the oldest 32 days old"
    (command,) = found["CDR files done"]["commands"]
    subprocess.run(["bash", "-c", command], check=True)
    assert [path.name for path in (folder / "done").iterdir()] == ["c.json"]
    aged(folder / "a.json", 1)
    _, found = examined(tollbook("doctor", "--json", cdr_dir=str(folder)))
    assert (found["CDR files"]["status"], found["CDR files done"]["status"]) == ("WARN", "OK")
    assert f"tollbook recover {folder}" in found["CDR files"]["commands"][0]


def test_the_backup_is_old(tollbook: Tollbook, tmp_path: Path) -> None:
    """A backup that was never made, one of today, one of last month."""
    stamp = tmp_path / "stamp"
    _, found = examined(tollbook("doctor", "--json", backup_stamp=str(stamp)))
    assert (found["backup"]["status"], found["backup"]["found"]) == ("FAIL", f"none: {stamp} is missing")
    subprocess.run(["bash", "-c", *found["backup"]["commands"]], check=True)
    _, found = examined(tollbook("doctor", "--json", backup_stamp=str(stamp)))
    assert found["backup"]["status"] == "OK"
    aged(stamp, 9)
    _, found = examined(tollbook("doctor", "--json", backup_stamp=str(stamp)))
    assert (found["backup"]["status"], found["backup"]["found"]) == ("WARN", "the last one was made 9 days ago")
    _, found = examined(tollbook("doctor", "--json"))
    assert "backup" not in found
