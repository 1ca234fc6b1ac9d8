"""The files of mod_json_cdr in their folder: which there are, what one holds, and what becomes of it."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maintenance.recover.json_cdr import leg_of_file
from tollbook.errors import DataError
from tollbook.model.leg import Leg
from tollbook.store.calls.batch import Refused

MAX_FILE_BYTES = 16 * 1024 * 1024

# A file that is not JSON may be incomplete because it is being written; after a minute it will stay so.
_STILL_WRITING_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedFile:
    """A file with its leg, or with the problem why it has none; with neither while it may still be being written."""

    path: Path
    leg: Leg | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What becomes of each file of a batch. `refused` has the reasons; `unfinished` are still being written."""

    done: list[Path] = field(default_factory=list[Path])
    refused: dict[Path, str] = field(default_factory=dict[Path, str])
    late: list[Path] = field(default_factory=list[Path])
    unfinished: list[Path] = field(default_factory=list[Path])


def file_names(folder: Path) -> list[str]:
    """Return the names of the *.json files in a folder, in order.

    Names, and not paths: of a million files these take 120 MB, paths would take 500.
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(".json") and entry.is_file())


def read_file(path: Path, headers: Mapping[str, str]) -> ParsedFile:
    """Read a file; `headers` as in `leg_of_file`."""
    try:
        status = path.stat()
        content = path.read_bytes() if status.st_size <= MAX_FILE_BYTES else None
    except OSError as error:
        return ParsedFile(path=path, problem=f"cannot be read: {error.strerror}")
    if content is None:
        return ParsedFile(path=path, problem=f"larger than {MAX_FILE_BYTES} bytes")
    try:
        return ParsedFile(path=path, leg=leg_of_file(content, headers))
    except DataError as error:
        still_writing = time.time() - status.st_mtime < _STILL_WRITING_S
        return ParsedFile(path=path) if still_writing else ParsedFile(path=path, problem=str(error))


def outcome_of(files: Iterable[ParsedFile], refused: Sequence[Refused]) -> Outcome:
    """Decide what becomes of files whose legs were written, except those that were refused. Pure."""
    reasons = {refusal.leg.key: refusal for refusal in refused}
    outcome = Outcome()
    for file in files:
        refusal = reasons.get(file.leg.key) if file.leg is not None else None
        if file.problem is not None:
            outcome.refused[file.path] = file.problem
        elif file.leg is None:
            outcome.unfinished.append(file.path)
        elif refusal is None:
            outcome.done.append(file.path)
        elif refusal.late:
            outcome.late.append(file.path)
        else:
            outcome.refused[file.path] = refusal.reason
    return outcome


def move_file(path: Path, folder_name: str) -> None:
    """Move a file into a folder beside it, made if it is missing; raise OSError."""
    folder = path.parent / folder_name
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
