"""A file of mod_json_cdr: what it holds, and what becomes of it."""

import errno
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from maintenance.recover.cdr_folder import CdrFolder, FileTooLarge, FileVersion
from maintenance.recover.json_cdr import leg_of_file
from tollbook.errors import DataError
from tollbook.model.leg import Leg
from tollbook.store.calls.poison import Refused

# The largest file that we know has 15 kB; that of a call which is transferred all day has some hundred kB.
MAX_FILE_BYTES = 2 * 1024 * 1024

# A file that is not JSON may be incomplete because it is being written; after a minute it will stay so.
_STILL_WRITING_S = 60.0

# NFS says ESTALE of a file that was removed elsewhere.
_GONE = (errno.ENOENT, errno.ESTALE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedFile:
    """A file with its leg, or with the problem why it has none; with neither while it may still be being written."""

    name: str
    version: FileVersion
    leg: Leg | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What becomes of each file of a batch. `refused` has the reasons; `unfinished` are being written."""

    done: list[ParsedFile] = field(default_factory=list[ParsedFile])
    refused: list[tuple[ParsedFile, str]] = field(default_factory=list[tuple[ParsedFile, str]])
    late: list[ParsedFile] = field(default_factory=list[ParsedFile])
    unfinished: list[ParsedFile] = field(default_factory=list[ParsedFile])


def read_file(folder: CdrFolder, name: str, headers: Mapping[str, str]) -> ParsedFile | None:
    """Read a file; return None when it has gone since it was listed. `headers` as in `leg_of_file`."""
    try:
        version = folder.version(name)  # before it is read: whoever writes to it while we read, changes it
    except OSError:
        return None
    try:
        content, written_s = folder.read(name, MAX_FILE_BYTES)
    except FileTooLarge:
        return ParsedFile(name=name, version=version, problem=f"larger than {MAX_FILE_BYTES} bytes")
    except OSError as error:
        if error.errno in _GONE:
            return None
        return ParsedFile(name=name, version=version, problem=f"cannot be read: {error.strerror}")
    try:
        return ParsedFile(name=name, version=version, leg=leg_of_file(content, headers))
    except DataError as error:
        still_writing = time.time() - written_s < _STILL_WRITING_S
        return ParsedFile(name=name, version=version, problem=None if still_writing else str(error))


def outcome_of(files: Iterable[ParsedFile], refused: Sequence[Refused]) -> Outcome:
    """Decide what becomes of files whose legs were written, except those that were refused. Pure."""
    reasons = {refusal.leg.key: refusal for refusal in refused}
    outcome = Outcome()
    for file in files:
        refusal = reasons.get(file.leg.key) if file.leg is not None else None
        if file.problem is not None:
            outcome.refused.append((file, file.problem))
        elif file.leg is None:
            outcome.unfinished.append(file)
        elif refusal is None:
            outcome.done.append(file)
        elif refusal.late:
            outcome.late.append(file)
        else:
            outcome.refused.append((file, refusal.reason))
    return outcome
