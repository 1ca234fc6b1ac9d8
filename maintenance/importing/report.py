"""What an import did, and the file of the records that it refused."""

import csv
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

# Enough to find the record; one may have megabytes.
_LONGEST_TEXT: Final = 10_000


@dataclass(kw_only=True, slots=True)
class ImportReport:
    """Counts. `records` were read, of which `legs` are legs of their own; `known` calls were in the book already.

    `repeated` records state a leg that another one states. `left_out` are of unanswered b-legs that do not say whose
    they are. `window` and `archive`: the calls that were written, by tier. `doubled`: legs of an hour that came twice,
    taken as of the first.
    """

    dry_run: bool
    records: int = 0
    legs: int = 0
    repeated: int = 0
    refused: int = 0
    known: int = 0
    window: int = 0
    archive: int = 0
    doubled: int = 0
    left_out: int = 0
    begun: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        """Return it as lines."""
        seconds = max(time.monotonic() - self.begun, 0.001)
        would = "would be " if self.dry_run else ""
        lines = [
            f"{'dry run: ' if self.dry_run else 'imported: '}{self.records} records read, {self.window + self.archive}"
            f" calls {would}written ({self.window} to PostgreSQL, {self.archive} to the archive), {self.known} known"
            f" already, {self.refused} records refused; {seconds:.1f} s, {self.records / seconds:.0f} records/s"
        ]
        if self.repeated:
            lines.append(f"{self.repeated} records state a leg that another one states: each counts once")
        if self.left_out:
            lines.append(f"{self.left_out} unanswered b-legs that do not say whose they are were left out")
        if self.doubled:
            lines.append(f"{self.doubled} legs began in an hour that the clock showed twice: taken as of the first")
        return "\n".join(lines)


class RefusedFile:
    """The records that were refused, as CSV with the reason; made with the first of them, after `begin`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def begin(self) -> None:
        """Remove the file of an earlier run. Call as the only import: another one may still write it."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def write(self, source: str, line: int, reason: str, text: str) -> None:
        """Add a record."""
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self.path.chmod(0o600)  # it names callers
            csv.writer(self._file).writerow(("source", "line", "reason", "record"))
        csv.writer(self._file).writerow((source, line, reason, text[:_LONGEST_TEXT].rstrip("\r\n")))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
