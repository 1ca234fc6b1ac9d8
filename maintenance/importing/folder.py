"""The folder `imports` of the data directory: what runs leave there, and whose turn it is."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tollbook.errors import Retryable

_FOLDER: Final = "imports"
_STAGING: Final = "staging-*.sqlite*"


def staging_path(data_dir: Path) -> Path:
    """Return where a run keeps the legs that it has read."""
    return data_dir / _FOLDER / "staging-1.sqlite"


def refused_path(data_dir: Path) -> Path:
    """Return where refused records go, unless `--refused` says otherwise."""
    return data_dir / _FOLDER / "refused.csv"


@contextmanager
def hold_folder(data_dir: Path) -> Generator[None]:
    """Keep other imports, and erasures, out until the end of the context; raise Retryable if there is one."""
    folder = data_dir / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # all calls of another system
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Retryable(
                f"another `tollbook import`, or an erasure, is at work in {folder}: run this again when it has ended"
            ) from None
        yield


def staging_left(data_dir: Path) -> list[Path]:
    """Return what a killed run left of its legs; while the folder is not held, also what one at work has."""
    return sorted((data_dir / _FOLDER).glob(_STAGING))


def files_left(data_dir: Path) -> list[Path]:
    """Return all that runs left of records: the legs of killed ones, and the refused records of the last one."""
    refused = refused_path(data_dir)
    return [*([refused] if refused.exists() else []), *staging_left(data_dir)]
