"""What a recovery did, and how it is printed."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class RecoveryReport:
    """Counts of files, and of legs: those that said something new, or are below one that did.

    `files` were read and moved, `refused` of them as bad; `waiting` are left, because they are still being written or
    were replaced while they were read. `late`: files of frozen calls. `gone`: files that went away before they were
    read. `erased`: how many of the refused are of erased calls. `busy`: nothing was done, and which other `recover` is
    the reason.
    """

    files: int = 0
    legs: int = 0
    refused: int = 0
    waiting: int = 0
    late: int = 0
    gone: int = 0
    erased: int = 0
    busy: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        if self.busy:
            return f"nothing done: {self.busy}"
        line = f"recovered: {self.files} files read, {self.legs} legs new or changed"
        if self.refused:
            line += f", {self.refused} files refused, moved to refused/"
        if self.erased:
            line += f" ({self.erased} of calls that were erased, which are not brought back: delete these files)"
        if self.late:
            line += f", {self.late} too late, moved to late/: the archive has their calls"
        if self.waiting:
            line += f", {self.waiting} left, still being written"
        if self.gone:
            line += f", {self.gone} went away before they were read"
        return line
