"""A file of mod_json_cdr: what it holds, and what becomes of it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from maintenance.recover.cdr_folder import CdrFolder, FileTooLarge
from maintenance.recover.json_cdr import leg_of_file
from tollbook.errors import DataError
from tollbook.model.leg import Leg
from tollbook.store.calls.batch import Refused

# The largest file that we know has 15 kB; that of a call which is transferred all day has some hundred kB.
MAX_FILE_BYTES = 2 * 1024 * 1024

# A file that is not JSON may be incomplete because it is being written; after a minute it will stay so.
_STILL_WRITING_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedFile:
    """A file with its leg, or with the problem why it has none; with neither while it may still be being written."""

    name: str
    leg: Leg | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What becomes of each file of a batch, by name. `refused` has the reasons; `unfinished` are being written."""

    done: list[str] = field(default_factory=list[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    late: list[str] = field(default_factory=list[str])
    unfinished: list[str] = field(default_factory=list[str])


def read_file(folder: CdrFolder, name: str, headers: Mapping[str, str]) -> ParsedFile | None:
    """Read a file; return None when another `recover` has moved it. `headers` as in `leg_of_file`."""
    try:
        content, written_s = folder.read(name, MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except FileTooLarge:
        return ParsedFile(name=name, problem=f"larger than {MAX_FILE_BYTES} bytes")
    except OSError as error:
        return ParsedFile(name=name, problem=f"cannot be read: {error.strerror}")
    try:
        return ParsedFile(name=name, leg=leg_of_file(content, headers))
    except DataError as error:
        still_writing = time.time() - written_s < _STILL_WRITING_S
        return ParsedFile(name=name) if still_writing else ParsedFile(name=name, problem=str(error))


def outcome_of(files: Iterable[ParsedFile], refused: Sequence[Refused]) -> Outcome:
    """Decide what becomes of files whose legs were written, except those that were refused. Pure."""
    reasons = {refusal.leg.key: refusal for refusal in refused}
    outcome = Outcome()
    for file in files:
        refusal = reasons.get(file.leg.key) if file.leg is not None else None
        if file.problem is not None:
            outcome.refused[file.name] = file.problem
        elif file.leg is None:
            outcome.unfinished.append(file.name)
        elif refusal is None:
            outcome.done.append(file.name)
        elif refusal.late:
            outcome.late.append(file.name)
        else:
            outcome.refused[file.name] = refusal.reason
    return outcome
