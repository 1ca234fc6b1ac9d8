"""What a recovery did, and how it is printed."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class RecoveryReport:
    """Counts of files, and of legs: those that said something new, or are below one that did.

    `files` were read and moved, `refused` of them as bad; `waiting` are still being written. `late`: files of frozen
    calls. `busy`: nothing was done, because another `recover` is reading the folder.
    """

    files: int = 0
    legs: int = 0
    refused: int = 0
    waiting: int = 0
    late: int = 0
    busy: bool = False

    def __str__(self) -> str:
        """Return it as one line."""
        if self.busy:
            return "nothing done: another `tollbook recover` is reading this folder"
        line = f"recovered: {self.files} files read, {self.legs} legs new or changed"
        if self.refused:
            line += f", {self.refused} files refused, moved to refused/"
        if self.late:
            line += f", {self.late} too late, moved to late/: the archive has their calls"
        if self.waiting:
            line += f", {self.waiting} left, still being written"
        return line
