"""The doctor's verdict on disks, the data directory, and what lies in folders."""

from pathlib import Path

import pytest

from maintenance.doctor.finding import Finding, Status
from maintenance.doctor.rules import disk, waiting
from maintenance.doctor.rules.disk import Directory, Disk
from maintenance.doctor.rules.waiting import Files

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
GIB, HOUR, DAY = 1024**3, 3600.0, 86_400.0
CDR = Path("/var/spool/free switch/json_cdr")
STAMP = Path("/backup/stamp")


def room(
    free: int, of: int = 100, *, needed: int = 0, inodes: int = 1000, left: int = 900, ro: bool = False
) -> Finding:
    found = Disk(path=Path("/d"), bytes=of * GIB, free=free * GIB, inodes=inodes, inodes_free=left, read_only=ro)
    return disk.disk(found, needed * GIB)


def directory(
    path: str = "/d",
    *,
    exists: bool = True,
    owner: str = "tollbook",
    user: str | None = None,
    writable: bool = True,
    strangers: tuple[Path, ...] = (),
) -> Finding:
    return disk.data_dir(
        Directory(path=Path(path), exists=exists, owner=owner, user=user, writable=writable, strangers=strangers)
    )


CASES = [
    (room(50), OK, "50.0 GiB of 100.0 GiB are free (50%)"),
    (room(11), OK, "11%"),
    (room(9), WARN, "9.0 GiB of 100.0 GiB are free (9%)"),
    (room(1), FAIL, "1.0 GiB of 100.0 GiB are free (1%)"),
    (room(0), FAIL, "full: 0 bytes of 100.0 GiB"),
    (room(30, of=1000), OK, "(3%)"),
    (room(19, of=1000), FAIL, "(2%)"),
    (room(15, needed=16), WARN, "an outage of PostgreSQL may need 16.0 GiB (TOLLBOOK_SPOOL_MAX)"),
    (room(50, left=99), WARN, "99 of 1000 inodes are free (10%)"),
    (room(50, left=19), FAIL, "19 of 1000 inodes are free (2%)"),
    (room(50, left=0), FAIL, "full: 50.0 GiB"),
    (room(50, inodes=0, left=0), OK, "50%"),
    (room(50, ro=True), FAIL, "mounted read-only"),
    (directory(), OK, "/d belongs to tollbook, with all that is in it"),
    (directory("data"), FAIL, "data is relative"),
    (directory(exists=False), OK, "/d is not there yet"),
    (directory(exists=False, writable=False), FAIL, "we may not make it"),
    (directory(owner="root", user="tollbook"), FAIL, "/d belongs to root, and the services run as tollbook"),
    (directory(writable=False), FAIL, "/d belongs to tollbook, and cannot be written"),
    (directory(strangers=(Path("/d/a"), Path("/d/b"))), FAIL, "2 of its files and folders do not belong to tollbook"),
    (waiting.spool([], 1000), OK, "nothing waits"),
    (waiting.spool([0, 0], 1000), OK, "nothing waits"),
    (waiting.spool([700], 1000), WARN, "700 bytes wait for PostgreSQL, the fullest spool is at 70%"),
    (waiting.spool([2**29, 2**29], 2**30), WARN, "1.0 GiB wait for PostgreSQL, the fullest spool is at 50%"),
    (waiting.spool([900 * 2**20], 2**30), FAIL, "900.0 MiB"),
    (waiting.dead_letters(0), OK, "nothing"),
    (waiting.dead_letters(2), WARN, "2 files"),
    (waiting.cdr_files(CDR, Files()), OK, "none waits to be read"),
    (waiting.cdr_files(CDR, Files(count=3, bytes=9, oldest_s=2 * HOUR)), OK, "3 files, 9 bytes, the oldest 2 h old"),
    (waiting.cdr_files(CDR, Files(count=3, bytes=9, oldest_s=3 * HOUR)), WARN, "3 files, 9 bytes, the oldest 3 h old"),
    (waiting.cdr_done(CDR, Files()), OK, "none"),
    (waiting.cdr_done(CDR, Files(count=3, bytes=9, oldest_s=30 * DAY)), OK, "the oldest 30 days old"),
    (
        waiting.cdr_done(CDR, Files(count=3, bytes=4096, oldest_s=31 * DAY, more=True)),
        WARN,
        "3 or more files, 4.0 KiB or more, the oldest 31 days old",
    ),
    (waiting.backup(STAMP, None), FAIL, "none: /backup/stamp is missing"),
    (waiting.backup(STAMP, 7 * DAY), OK, "7 days ago"),
    (waiting.backup(STAMP, 8 * DAY), WARN, "the last one was made 8 days ago"),
]


@pytest.mark.parametrize(("finding", "status", "text"), CASES)
def test_a_value_is_judged(finding: Finding, status: Status, text: str) -> None:
    """Each limit is where the rules say, and a finding that is not OK says what to do."""
    assert (finding.status, text in finding.found) == (status, True), finding
    assert bool(finding.remedy) == (status is not OK)


def test_commands_name_the_paths_as_a_shell_takes_them() -> None:
    """With a space in a folder's name, too."""
    done = waiting.cdr_done(CDR, Files(count=1, oldest_s=31 * DAY))
    assert done.commands == (f"find '{CDR}/done' -maxdepth 1 -type f -mtime +30 -delete",)
    assert waiting.cdr_files(CDR, Files(count=1, oldest_s=DAY)).commands[0] == f"tollbook recover '{CDR}'"
