"""The names of the listener's files in the data directory: segments of the spools, and dead letters.

`tollbook listen` and `tollbook spool` write and read them, `tollbook doctor` counts them.
"""

import itertools
import os
import re
from pathlib import Path

# Listeners on one data directory: the sixteen workers of one, as many more while another one replaces it, and some for
# other clusters.
MAX_LISTENERS = 40

_SEGMENT = re.compile(r"[0-9]{16}\.spool")
_DEAD_LETTER = re.compile(r"leg-.*\.json|damaged-.*\.bin")


def spool_folders(data_dir: Path) -> list[Path]:
    """Return where spools may be: each listener that shares a data directory has one of its own."""
    return [data_dir / ("spool" if number == 1 else f"spool-{number}") for number in range(1, MAX_LISTENERS + 1)]


def segment_path(spool_folder: Path, number: int) -> Path:
    """Return the path of a spool's segment; segments are replayed in the order of their numbers."""
    return spool_folder / f"{number:016}.spool"


def segment_number(path: Path) -> int:
    """Return the number of a segment."""
    return int(path.stem)


def segments(spool_folder: Path) -> list[Path]:
    """List the segments of a spool, oldest first; none when there is no spool. Raises OSError."""
    return _matching(spool_folder, _SEGMENT)


def dead_letter_folder(data_dir: Path) -> Path:
    """Return the folder of the dead letters."""
    return data_dir / "dead-letters"


def refused_leg_path(folder: Path, digest: str) -> Path:
    """Return the path of the dead letter of a leg that PostgreSQL refused."""
    return folder / f"leg-{digest}.json"


def damaged_path(folder: Path, digest: str) -> Path:
    """Return the path of the dead letter of a damaged stretch of a spool."""
    return folder / f"damaged-{digest}.bin"


def dead_letter_paths(folder: Path) -> list[Path]:
    """List the dead letters, by name; none when there is no such folder. Raises OSError."""
    return _matching(folder, _DEAD_LETTER)


def count_dead_letters(folder: Path, most: int) -> int:
    """Count the dead letters, up to `most`; none when there is no such folder. Raises OSError."""
    try:
        with os.scandir(folder) as found:
            return sum(
                1 for _ in itertools.islice((entry for entry in found if _DEAD_LETTER.fullmatch(entry.name)), most)
            )
    except FileNotFoundError:
        return 0


def _matching(folder: Path, name: re.Pattern[str]) -> list[Path]:
    # Not Path.glob: a folder that may not be read looks empty to it.
    try:
        return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
    except FileNotFoundError:
        return []
