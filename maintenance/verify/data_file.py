"""One data file, read whole: whether it is the file that was written."""

import hashlib
from dataclasses import dataclass

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.digests import Digests, month_name
from tollbook.archive.bounds import start_bounds
from tollbook.archive.damage import content_damage
from tollbook.archive.schema import account_of


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """A data file: whose calls it has, how many, and when they started, epoch ms, as the archive's metadata says.

    `damage`: what is wrong with it, None if nothing is. `proved`: its digest is known, and was compared.
    """

    file: DataFile
    damage: str | None
    proved: bool

    @property
    def account_id(self) -> str | None:
        """Return the account whose calls it has; None stands for calls without an account."""
        return account_of(self.file.partition[0])

    @property
    def month(self) -> str:
        """Return the month of its calls, such as `2026-09`."""
        return month_name(self.file.partition[1])

    @property
    def span_ms(self) -> tuple[int, int] | None:
        """Return when its first and its last call started, epoch ms; None if the metadata does not have it."""
        bounds = start_bounds(self.file)
        return None if bounds is None else (bounds[0] // 1000, bounds[1] // 1000)


def check_file(table: Table, digests: Digests, file: DataFile) -> CheckedFile:
    """Read a data file and compare it with its digest and its metadata; raises OSError if it cannot be fetched."""
    expected = digests.of(file)
    try:
        with table.io.new_input(file.file_path).open() as stream:
            content = bytes(stream.read())
    except FileNotFoundError:
        return CheckedFile(file=file, damage="is missing", proved=False)
    damage = content_damage(file, content)
    if damage is None and expected is not None and hashlib.sha256(content).hexdigest() != expected.sha256:
        damage = "is not as it was written (its SHA-256 differs)"
    return CheckedFile(file=file, damage=damage, proved=expected is not None)
