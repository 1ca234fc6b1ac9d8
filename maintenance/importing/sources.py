"""What the records of each format are read from: a file, a folder of files, or a table of another database."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from maintenance.importing import lines
from maintenance.importing.fusionpbx import leg_of_row
from maintenance.importing.lines import Row
from maintenance.importing.template import Template
from maintenance.importing.variables import LeftOut, Reading, ReadLeg, leg_of_variables, marked
from maintenance.importing.xml_cdr import leg_of_xml
from maintenance.progress import Progress
from tollbook.errors import DataError, UsageError
from tollbook.model.imported import ImportFormat, mark_of
from tollbook.store.copied_table import copied_table

# As for mod_json_cdr's files.
_MAX_FILE_BYTES: Final = 2 * 1024 * 1024
# A column that FusionPBX's own export has and its table has not.
_ITS_EXPORT: Final = b"start_date_formatted"
_ROWS_A_LOOK: Final = 1000


class ReadRecord(NamedTuple):
    """A record: where it stands, its leg or why it has none, and its text; without both it is left out."""

    source: str
    line: int
    read: ReadLeg | None
    problem: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The sources of a run. `names`: paths, folders or URLs of databases, of which `table` is read."""

    kind: ImportFormat
    names: tuple[str, ...]
    template: Template
    table: str
    encoding: str
    reading: Reading

    def records(self, progress: Progress) -> Iterator[ReadRecord]:
        """Yield every record; `progress`: bytes or files that were read, and all. Raises UsageError."""
        for name in self.names:
            if self.kind == "xml_cdr":
                yield from self._files(Path(name), progress)
            else:
                with _opened(name, self.table) as (file, label, size):
                    yield from self._rows(file, label, size, progress)

    def _rows(self, file: BinaryIO, label: str, size: int, progress: Progress) -> Iterator[ReadRecord]:
        rows, leg_of = self._format(file)
        mark = mark_of(self.kind, label)
        for number, row in enumerate(rows):
            if size and not number % _ROWS_A_LOOK:
                progress(file.tell(), size)
            problem, read = row.problem, None
            if not problem:
                try:
                    read = self._mark(leg_of(row), mark)
                except DataError as error:
                    problem = str(error)
                except LeftOut:
                    pass
            yield ReadRecord(label, row.line, read, problem, row.text)
        if size:
            progress(size, size)

    def _format(self, file: BinaryIO) -> tuple[Iterator[Row], Callable[[Row], ReadLeg]]:
        """Return a file's rows, and how one becomes a leg: all in which the formats differ."""
        reading = self.reading
        if self.kind == "cdr_csv":
            return lines.plain_lines(file, self.encoding), lambda row: leg_of_variables(
                self.template.values(row.text), reading
            )
        if self.kind == "cdr_pg_csv":
            return lines.rows_of(file, self.encoding), lambda row: leg_of_variables(row.values, reading)
        exported = False
        if file.seekable():
            exported = _ITS_EXPORT in file.readline(lines.MAX_LINE_BYTES)
            file.seek(0)
        rows = lines.unescaped_rows if exported else lines.rows_of
        return rows(file, self.encoding), lambda row: leg_of_row(row.values, reading)

    def _files(self, folder: Path, progress: Progress) -> Iterator[ReadRecord]:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder: name mod_xml_cdr's log-dir")
        paths = sorted(path for path in folder.rglob("*.xml") if path.is_file() and not path.is_symlink())
        for number, path in enumerate(paths):
            progress(number, len(paths))
            label = str(path.relative_to(folder))
            problem, read = "", None
            try:
                if path.stat().st_size > _MAX_FILE_BYTES:
                    raise DataError(f"larger than {_MAX_FILE_BYTES} bytes")
                read = self._mark(ReadLeg(leg=leg_of_xml(path.read_bytes(), self.reading)), mark_of(self.kind, label))
            except OSError as error:
                problem = f"cannot be read: {error.strerror}"
            except DataError as error:
                problem = str(error)
            yield ReadRecord(label, 1, read, problem, "")
        progress(len(paths), len(paths))

    def _mark(self, read: ReadLeg, mark: str) -> ReadLeg:
        leg = marked(read.leg, mark, billed_elsewhere=self.reading.billed_elsewhere)
        return ReadLeg(leg=leg, bleg=read.bleg, doubled=read.doubled)


@contextmanager
def _opened(name: str, table: str) -> Generator[tuple[BinaryIO, str, int]]:
    """Open a file, or a table of a database by its URL; yield it with its name and its size (0: unknown)."""
    if name.startswith(("postgresql://", "postgres://")):
        with copied_table(name, table) as file:
            yield file, table, 0
        return
    path = Path(name)
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name files")
        yield file, path.name, os.fstat(file.fileno()).st_size
