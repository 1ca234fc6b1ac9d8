"""Temporary folders: one whose process was killed with SIGKILL is removed by the next process that makes one."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# Held for as long as the folder is in use. The kernel lets go of it with the process.
_LOCK: Final = "lock"


@contextmanager
def scratch_folder(prefix: str) -> Generator[Path]:
    """Yield a new temporary folder, which is removed at the end; first remove those that killed processes have left.

    `prefix` is that of its name, and of theirs.
    """
    _sweep(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        unlocked = Path(name) / "unlocked"
        with unlocked.open("x") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Renamed when it is locked: nobody finds one that is not locked yet.
            unlocked.rename(Path(name) / _LOCK)
            yield Path(name)


def _sweep(prefix: str) -> None:
    """Remove our own folders whose lock nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):
            # In a folder for everybody, a name alone says nothing.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with os.fdopen(os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
