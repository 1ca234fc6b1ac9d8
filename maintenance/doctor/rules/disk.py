"""The verdicts on disks and on the data directory: room, rights, owners."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import size

# Of the disk, and of its inodes. A disk that has less is full before somebody looks.
ROOM_WARN_SHARE = 0.1
ROOM_FAIL_SHARE = 0.02
# Of a large disk a tenth is more than it takes to act in time.
ROOM_ENOUGH_BYTES = 20 * 1024**3


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A file system: its room for users other than root, and its inodes; `inodes` 0: it has as many as it needs."""

    path: Path
    bytes: int
    free: int
    inodes: int
    inodes_free: int
    read_only: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """The data directory. `exists`: else all else is of the nearest folder above it that does.

    `owner`: who owns it; `user`: who runs the services, if that is known; `writable`: by us, or by its owner if we are
    root. `strangers`: paths below it that belong to somebody else.
    """

    path: Path
    exists: bool
    owner: str
    user: str | None
    writable: bool
    strangers: Sequence[Path] = ()


def disk(found: Disk, needed: int) -> Finding:
    """Judge the room on a disk: by its share, and by what the spool may need of it, 0 if it is not there."""
    check, path = f"disk {found.path}", shlex.quote(str(found.path))
    if found.read_only:
        return fail(
            check,
            "mounted read-only: nothing can be written to it",
            "an error of the disk does that, too: see the kernel's log first",
            "dmesg --level=err,crit,alert,emerg --ctime",
            f'mount -o remount,rw "$(findmnt -no TARGET -T {path})"',
        )
    share, inodes = _share(found.free, found.bytes), _share(found.inodes_free, found.inodes)
    left = min(share if found.free < ROOM_ENOUGH_BYTES else 1.0, inodes)
    text = f"{size(found.free)} of {size(found.bytes)} are free ({share:.0%})"
    if inodes < ROOM_WARN_SHARE:
        text += f"; {found.inodes_free} of {found.inodes} inodes are free ({inodes:.0%})"
    if found.free < needed:
        text += f"; an outage of PostgreSQL may need {size(needed)} (TOLLBOOK_SPOOL_MAX)"
    if left >= ROOM_WARN_SHARE and found.free >= needed:
        return ok(check, text)
    judged = fail if left < ROOM_FAIL_SHARE else warn
    shown = (
        (f"df -i {path}", f"du --inodes -x -d 2 {path} | sort -n | tail -20")
        if inodes < ROOM_WARN_SHARE
        else (f"df -h {path}", f"du -x -h -d 2 {path} | sort -h | tail -20")
    )
    return judged(check, text if left else f"full: {text}", "make room, or give it a larger disk", *shown)


def _share(free: int, whole: int) -> float:
    return free / whole if whole else 1.0


def data_dir(found: Directory) -> Finding:
    """Judge whether the data directory is one that the services can use, whoever looks."""
    check, path = "data directory", shlex.quote(str(found.path))
    if not found.path.is_absolute():
        return fail(
            check,
            f"{found.path} is relative: each process has another one, below the folder that it was started in",
            "write the whole path in TOLLBOOK_DATA_DIR, such as /var/lib/tollbook",
        )
    user = found.user or found.owner
    if not found.exists:
        if found.writable:
            return ok(check, f"{found.path} is not there yet: the first process makes it")
        return fail(
            check,
            f"{found.path} is not there, and we may not make it",
            "make it for the user that runs the services",
            f"install -d -m 750 -o {user} -g {user} {path}",
        )
    if found.user is not None and found.user != found.owner:
        return fail(
            check,
            f"{found.path} belongs to {found.owner}, and the services run as {found.user}",
            "give it to the services' user",
            f"chown -R {user}: {path}",
        )
    if not found.writable:
        return fail(
            check,
            f"{found.path} belongs to {found.owner}, and cannot be written",
            "run commands as its owner; if it is the owner who cannot write, give the folder its rights",
            f"chmod u+rwx {path}",
        )
    if found.strangers:
        return fail(
            check,
            f"{len(found.strangers)} of its files and folders do not belong to {found.owner}, such as"
            f" {found.strangers[0]}",
            "a command by hand as another user made them, and the services cannot write there: give them back",
            # Not -R: as root, the embedded PostgreSQL in the folder is another user's.
            f"find {path} -path {path}/postgresql -prune -o ! -user {found.owner} -exec chown -h {found.owner}: {{}} +",
        )
    return ok(check, f"{found.path} belongs to {found.owner}, with all that is in it")
