"""The rows of a large text file, one at a time: CSV with a header, whose values may hold newlines, or plain lines.

A damaged row must cost itself alone. So whatever is not a row of the header's width is taken apart into its lines, and
each that is a row by itself is one.
"""

import csv
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from tollbook.errors import UsageError

# The whole XML of a call that was transferred all day has some hundred kB.
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
_TOO_LONG: Final = f"a line of more than {MAX_LINE_BYTES} bytes"


class Row(NamedTuple):
    """A row: the number of its first line, its values by name or why it has none, and its text."""

    line: int
    values: Mapping[str, str]
    problem: str
    text: str


class Line(NamedTuple):
    """A line with its newline; of one that is too long, its beginning."""

    text: str
    too_long: bool


class Lines:
    """The lines of a file with their numbers, decoded, and those that were read since it was last asked."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self.number = 0
        self._taken: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its newline; of one that is too long its beginning, which `taken` tells apart."""
        while line := self._next():
            yield line

    def _next(self) -> str:
        raw = self._file.readline(MAX_LINE_BYTES + 1)
        if not raw:
            return ""
        self.number += 1
        if self.number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UsageError("the file is UTF-16, as a spreadsheet saves it: save it as CSV in UTF-8")
        too_long = len(raw) > MAX_LINE_BYTES
        if too_long:
            while (rest := self._file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            raw = raw[:80] + b"\n"
        text = raw.decode("utf-8-sig" if self.number == 1 and self._encoding == "utf-8" else self._encoding, "replace")
        text = text.replace("\0", "\ufffd")
        self._taken.append(Line(text, too_long))
        return text

    def taken(self) -> "list[Line]":
        """Return the lines that were read since this was last asked."""
        taken, self._taken = self._taken, []
        return taken


def plain_lines(file: BinaryIO, encoding: str) -> Iterator[Row]:
    """Yield each line that is not empty as a row without values, its text without the newline."""
    lines = Lines(file, encoding)
    for text in lines:
        problem = _TOO_LONG if lines.taken()[0].too_long else ""
        if text.strip():
            yield Row(lines.number, {}, problem, text.rstrip("\r\n"))


def header_of(first: Row) -> list[str]:
    """Return the names of the columns in a header."""
    return [name.strip().strip('"').strip().lower() for name in next(csv.reader([first.text]), list[str]())]


def rows_of(file: BinaryIO, encoding: str) -> Iterator[Row]:
    """Yield the rows of a CSV file with a header; raise UsageError for one without a header."""
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = Lines(file, encoding)
    source = iter(lines)
    reader = csv.reader(source, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, list[str]())]
    except csv.Error:
        header = []
    lines.taken()
    if len(header) < 2 or not all(header):
        raise UsageError("the file does not begin with the names of its columns: export it with a header")
    while True:
        first = lines.number + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            values = []
        taken = lines.taken()
        if len(values) == len(header) and not any(line.too_long for line in taken):
            yield Row(first, dict(zip(header, values, strict=True)), "", "".join(line.text for line in taken))
        else:
            yield from _each(header, first, taken)


def _each(header: list[str], first: int, taken: list[Line]) -> Iterator[Row]:
    """Yield each line of what is no row by itself."""
    for number, (text, too_long) in enumerate(taken, start=first):
        values, problem = list[str](), _TOO_LONG if too_long else ""
        try:
            values = next(csv.reader([text], strict=True), values)
        except csv.Error as error:
            problem = problem or f"it is no line of CSV: {error}"
        if not problem and values and len(values) != len(header):
            problem = f"it has {len(values)} values, and the header {len(header)}"
        if problem:
            yield Row(number, {}, problem, text.rstrip("\r\n"))
        elif values:
            yield Row(number, dict(zip(header, values, strict=True)), "", text)


def unescaped_rows(file: BinaryIO, encoding: str) -> Iterator[Row]:
    """Yield the rows of FusionPBX's own export, which puts every value in quotes and escapes none, a row a line."""
    source = plain_lines(file, encoding)
    header = header_of(next(source))
    for row in source:
        if row.problem:
            yield row
            continue
        values = row.text.strip().removeprefix('"').removesuffix('"').split('","')
        if len(values) == len(header):
            yield row._replace(values=dict(zip(header, values, strict=True)))
        else:
            yield row._replace(problem=f"it has {len(values)} values, and the header {len(header)}")
