"""The files of an export: calls as CSV or Parquet, a file a month, hashed as they are written."""

import csv
import datetime as dt
import hashlib
import io
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

from maintenance.archive.query import csv_fields
from tollbook.archive._pyarrow import pa, parquet
from tollbook.archive.file_io import open_private
from tollbook.archive.schema import TIMES, arrow_schema
from tollbook.model.record import EXPORTED_COLUMNS, Record

Format: TypeAlias = Literal["csv", "parquet"]

#: As in the archive: a reader of a few columns or days reads a few small row groups.
ROW_GROUP: Final = 20_000

_START = EXPORTED_COLUMNS.index("start_ts")


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFile:
    """A finished file: its name, its SHA-256, its size and its number of calls."""

    name: str
    sha256: str
    bytes: int
    rows: int


class _HashedFile(io.BufferedWriter):
    """A new private file, hashed as it is written; durable once it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "xb", opener=open_private))
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.bytes += len(data)
        return super().write(data)

    def close(self) -> None:
        if not self.closed:
            self.flush()
            os.fsync(self.fileno())
        super().close()


class _Writer(Protocol):
    def write(self, rows: Sequence[Record]) -> None:
        """Write calls with EXPORTED_COLUMNS."""
        ...

    def close(self) -> None:
        """Write what the format has at its end."""
        ...


class _CsvWriter:
    """RFC 4180, byte for byte as `/v1/calls` returns these columns."""

    def __init__(self, file: _HashedFile) -> None:
        self._file = file
        self._write(EXPORTED_COLUMNS)

    def write(self, rows: Sequence[Record]) -> None:
        self._write(*map(csv_fields, rows))

    def close(self) -> None:
        pass

    def _write(self, *lines: Sequence[object]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._file.write(text.getvalue().encode())


class _ParquetWriter:
    """The columns in the archive's types, except that times count in ms; row groups as in the archive."""

    def __init__(self, file: _HashedFile) -> None:
        self._schema = export_schema()
        self._writer: Any = parquet.ParquetWriter(file, self._schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[Record] = []

    def write(self, rows: Sequence[Record]) -> None:
        self._waiting.extend(rows)
        while len(self._waiting) >= ROW_GROUP:
            self._write(self._waiting[:ROW_GROUP])
            self._waiting = self._waiting[ROW_GROUP:]

    def close(self) -> None:
        if self._waiting:
            self._write(self._waiting)
        self._writer.close()

    def _write(self, rows: Sequence[Record]) -> None:
        columns = [
            pa.array(values, pa.int64()).cast(field.type) if field.name in TIMES else pa.array(values, field.type)
            for field, values in zip(self._schema, zip(*rows, strict=True), strict=True)
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP)


def export_schema() -> Any:
    """Return the pyarrow schema of an exported Parquet file. Every column may be null: a call that is up has no end."""
    archived = arrow_schema()
    return pa.schema([
        pa.field(name, pa.timestamp("ms", "UTC") if name in TIMES else archived.field(name).type)
        for name in EXPORTED_COLUMNS
    ])  # fmt: skip


class CallFiles:
    """The files that calls are written to, in the order of their starts; `finished` grows as months end."""

    def __init__(self, folder: Path, file_format: Format) -> None:
        self._folder, self._format = folder, file_format
        self._month = ""
        self._file: _HashedFile | None = None
        self._writer: _Writer | None = None
        self._rows = 0
        self.finished: list[WrittenFile] = []

    def write(self, rows: Sequence[Record]) -> None:
        """Write calls with EXPORTED_COLUMNS, none of which started before one that was written."""
        for month, of_month in groupby(rows, key=_month_of):
            if month != self._month or self._writer is None:
                self._finish()
                self._month, self._rows = month, 0
                self._file = _HashedFile(self._folder / self._name)
                self._writer = _CsvWriter(self._file) if self._format == "csv" else _ParquetWriter(self._file)
            calls = list(of_month)
            self._writer.write(calls)
            self._rows += len(calls)

    def close(self, *, complete: bool) -> None:
        """Close the last file; if not `complete`, only give its descriptor back."""
        if complete:
            self._finish()
        elif self._file is not None:
            self._file.raw.close()

    @property
    def _name(self) -> str:
        return f"calls-{self._month}.{self._format}"

    def _finish(self) -> None:
        file, writer, self._file, self._writer = self._file, self._writer, None, None
        if file is None or writer is None:
            return
        writer.close()
        file.close()
        self.finished.append(
            WrittenFile(name=self._name, sha256=file.sha256.hexdigest(), bytes=file.bytes, rows=self._rows)
        )


@contextmanager
def call_files(folder: Path, file_format: Format) -> Generator[CallFiles]:
    """Yield the files of an export, all finished at the end unless an error ended it. Raises OSError."""
    files = CallFiles(folder, file_format)
    try:
        yield files
    except BaseException:
        files.close(complete=False)
        raise
    files.close(complete=True)


def _month_of(row: Record) -> str:
    start_ms = row[_START]
    assert isinstance(start_ms, int)
    return f"{dt.datetime.fromtimestamp(start_ms // 1000, dt.UTC):%Y-%m}"
