"""A folder for all that a run of the tests writes. What a killed run left behind, the next run removes."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "tollbook-run-"
# Held open, and locked, as long as this process lives.
_held: list[int] = []


def make(parent: Path) -> Path:
    """Make a folder in `parent` that no other run removes while this process lives, and remove those of dead runs.

    Others may enter it: as root the tests' PostgreSQL is another user.
    """
    for left in parent.glob(f"{_PREFIX}*"):
        _remove_if_dead(left)
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=parent))
    folder.chmod(0o711)
    _held.append(_locked(folder))
    # Under this name other runs look at its lock.
    return folder.rename(parent / f"{_PREFIX}{folder.name.removeprefix('new-')}")


def _remove_if_dead(folder: Path) -> None:
    try:
        lock = _locked(folder)
    except OSError:
        return  # its run lives, or is another user's
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _locked(folder: Path) -> int:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened
