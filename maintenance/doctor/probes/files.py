"""What lies on this machine: the data directory, disks, the spool, CDR files, the backup's stamp."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from maintenance.doctor.commands import SYSTEMD, user_name
from maintenance.doctor.finding import Finding
from maintenance.doctor.rules import disk, waiting
from maintenance.doctor.run import attempt
from tollbook.archive.configured import configured_properties
from tollbook.config import Settings
from tollbook.spool_files import dead_letter_folder, dead_letter_paths, segments, spool_folders

# So many files are counted of a folder of CDR files, and so many looked at below the data directory: 0.6 s of a core.
LOOKED_AT: Final = 100_000

# The embedded PostgreSQL's own: as root it is another user's.
_EMBEDDED: Final = frozenset({"postgresql", "postgresql.log"})
_SYSTEMCTL_TIMEOUT_S: Final = 2.0

_REMEDY = "run this as the user that runs `tollbook listen`, with its settings"


def check_files(settings: Settings) -> Iterator[Finding]:
    """Yield what is found on this machine's disks."""
    data_dir, max_bytes = settings.data_dir, settings.spool_max
    yield attempt("data directory", lambda: disk.data_dir(_directory(data_dir)), _REMEDY)
    for path, needed in _disks(settings).items():
        yield attempt(f"disk {path}", lambda path=path, needed=needed: disk.disk(_disk(path), needed), _REMEDY)
    yield attempt("spool", lambda: waiting.spool(_spool_sizes(data_dir), max_bytes), _REMEDY)
    dead_letters = dead_letter_folder(data_dir)
    yield attempt("dead letters", lambda: waiting.dead_letters(len(dead_letter_paths(dead_letters))), _REMEDY)
    if (folder := settings.cdr_dir) is not None:
        yield attempt("CDR files", lambda: waiting.cdr_files(folder, _files(folder)), _REMEDY)
        yield attempt("CDR files done", lambda: waiting.cdr_done(folder, _done(folder)), _REMEDY)
    if (stamp := settings.backup_stamp) is not None:
        yield attempt("backup", lambda: waiting.backup(stamp, _age_s(stamp)), _REMEDY)


def _directory(path: Path) -> disk.Directory:
    existing = _existing(path)
    status = existing.stat()
    return disk.Directory(
        path=path,
        exists=existing == path,
        owner=user_name(status.st_uid),
        user=_services_user(),
        writable=_may_write(existing, status),
        strangers=_strangers(path, status.st_uid) if existing == path else (),
    )


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that is there. Raises PermissionError where none can be seen."""
    path = path.absolute() if not path.is_absolute() else path
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _may_write(folder: Path, status: os.stat_result) -> bool:
    """Return whether we may write into a folder; as root, whether its owner may. A read-only disk is no reason."""
    if os.geteuid() == 0:
        return status.st_uid == 0 or status.st_mode & 0o300 == 0o300
    return os.access(folder, os.W_OK | os.X_OK) or bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _services_user() -> str | None:
    """Return the user of systemd's unit of the listener; None where there is no such unit."""
    if not SYSTEMD.is_dir():
        return None
    command = ["systemctl", "show", "--property=User", "--value", "tollbook-listen.service"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - a fixed command, found as the operator's shell finds it
            command, capture_output=True, text=True, timeout=_SYSTEMCTL_TIMEOUT_S, check=True
        )
        return done.stdout.strip() or None
    return None


def _strangers(data_dir: Path, uid: int) -> list[Path]:
    """Return what belongs to another user among the first LOOKED_AT files and folders below the data directory."""
    found: list[Path] = []
    seen = 0
    for where, folders, files in os.walk(data_dir):
        if Path(where) == data_dir:
            folders[:] = [name for name in folders if name not in _EMBEDDED]
            files = [name for name in files if name not in _EMBEDDED]
        for name in (*folders, *files):
            path = Path(where, name)
            with suppress(FileNotFoundError):  # replayed, merged or expired meanwhile
                if path.lstat().st_uid != uid:
                    found.append(path)
        seen += len(folders) + len(files)
        if seen >= LOOKED_AT:
            break
    return found


def _disks(settings: Settings) -> dict[Path, int]:
    """Return a path on each file system that we write to, with the bytes that the spool may need of it."""
    paths = {settings.data_dir: settings.spool_max * settings.worker_count}  # each has a spool
    warehouse = urlsplit(str(configured_properties().get("warehouse", "")))
    if warehouse.scheme == "file":
        paths.setdefault(Path(unquote(warehouse.path)), 0)
    if settings.cdr_dir is not None:
        paths.setdefault(settings.cdr_dir, 0)
    seen: dict[int, Path] = {}
    for path in paths:
        with suppress(OSError):  # a folder that cannot be seen is a finding of its own
            seen.setdefault(_existing(path).stat().st_dev, path)
    return {path: paths[path] for path in seen.values()}


def _disk(path: Path) -> disk.Disk:
    found = os.statvfs(_existing(path))
    return disk.Disk(
        path=path,
        bytes=found.f_blocks * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_favail,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def _spool_sizes(data_dir: Path) -> list[int]:
    """Return the bytes in each spool: listeners that share a data directory have one each."""
    return [_spool_size(folder) for folder in spool_folders(data_dir)]


def _spool_size(folder: Path) -> int:
    size = 0
    for path in segments(folder):
        with suppress(FileNotFoundError):  # a listener has just replayed it
            size += path.stat().st_size
    return size


def _done(folder: Path) -> waiting.Files:
    try:
        return _files(folder / "done")
    except FileNotFoundError:
        return waiting.Files()


def _files(folder: Path) -> waiting.Files:
    """Count the JSON files of a folder, at most LOOKED_AT of them."""
    count = size = 0
    oldest_s = now_s = time.time()
    with os.scandir(folder) as entries:
        named = (entry for entry in entries if entry.name.endswith(".json"))
        for entry in islice(named, LOOKED_AT):
            with suppress(FileNotFoundError):  # moved by a recover that runs
                status = entry.stat(follow_symlinks=False)
                count, size = count + 1, size + status.st_size
                oldest_s = min(oldest_s, status.st_mtime)
        more = next(named, None) is not None
    return waiting.Files(count=count, bytes=size, oldest_s=now_s - oldest_s, more=more)


def _age_s(path: Path) -> float | None:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None
