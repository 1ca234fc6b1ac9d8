"""Rates as a CSV file: columns by name, every bad row reported with its line, all rows taken or none.

Columns: `prefix` and one of `per_min` (decimal currency units) or `per_min_micros` are required. Optional:
`direction` (default outbound), `connection_fee` or `connection_fee_micros` (0), `increment` as first/next: `60/60`,
`30/6`, `1/1` (60/60), `valid_from` and `valid_to` as ISO 8601 (always), `name` (direction and prefix). Columns are
separated by `,`, or by `;` where the first line is. A name that a spreadsheet would run as a formula gets a `'`, at the
import already: so that importing an export changes nothing.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TextIO

from rating.deck_cells import DecimalMark
from rating.deck_columns import ALWAYS_TS, DECK_COLUMNS, DeckColumns
from tollbook.errors import DataError
from tollbook.model.formula import defuse
from tollbook.model.money import format_amount
from tollbook.store.tariffs.deck_staging import PROBLEMS_SHOWN, StagedRate, problem_report
from tollbook.store.tariffs.tariffs import RateRow
from tollbook.times import written

_SEPARATOR_LINES = ("sep=,", "sep=;")


def parse_deck(files: Iterable[tuple[str, Iterable[str]]]) -> Iterator[StagedRate]:
    """Parse the rates of a deck from its files, each (name, lines); a file alone needs no name.

    Rates are yielded as they are read, and none is held: each with its place there, as the store takes them. Raises
    DataError that names every bad line, at a file's first line or after the last rate: so discard what was yielded
    unless the end is reached. The store finds rates whose times overlap.
    """
    problems: list[str] = []
    rates = bad = 0
    for name, lines in files:
        before = f"{name} line " if name else "line "
        for line, cells, columns in _rows(name, iter(lines)):
            place = before + str(line)
            try:
                terms = columns.terms(cells)
            except ValueError as error:
                bad += 1
                if bad <= PROBLEMS_SHOWN:
                    problems.append(f"{place}: {error}")
                continue
            rates += 1
            yield place, *terms
    if bad:
        raise DataError(problem_report(problems, bad))
    if not rates:
        raise DataError(problem_report(["the file holds no rates"], 1))


def _rows(name: str, lines: Iterable[str]) -> Iterator[tuple[int, list[str], DeckColumns]]:
    """Yield each row of a file that is not empty: its line, its cells, and the columns of the file."""
    where = f"{name}: " if name else ""
    head, delimiter, before = _head(lines)
    reader = csv.reader(chain([head], lines), delimiter=delimiter, strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, list[str]())]
        _check_header(where, header)
        columns = DeckColumns(header, DecimalMark(may_be_comma=delimiter == ";"))
        for cells in reader:
            # A row that was emptied in a spreadsheet is saved as delimiters alone.
            if cells and (cells[0].strip() or any(cell.strip() for cell in cells)):
                yield reader.line_num + before, cells, columns
    except csv.Error as error:
        raise DataError(f"{where}line {reader.line_num + before}: not CSV: {error}") from error


def _head(lines: Iterable[str]) -> tuple[str, str, int]:
    """Return the line with the names of the columns, what separates them there, and how many lines stood before."""
    rest = iter(lines)
    head = next(rest, "")
    if head.strip().strip('"') in _SEPARATOR_LINES:  # Excel's own way to name the separator
        return next(rest, ""), head.strip().strip('"')[-1], 1
    return head, ";" if ";" in head and "," not in head else ",", 0


def _check_header(where: str, header: Sequence[str]) -> None:
    """Raise DataError unless these are columns of a deck."""
    unknown = [column for column in header if column not in DECK_COLUMNS]
    if unknown:
        tabs = ": separate the columns by , or ;" if "\t" in unknown[0] or ";" in unknown[0] else ""
        raise DataError(f"{where}unknown column {unknown[0]!r}{tabs}; known are {', '.join(sorted(DECK_COLUMNS))}")
    if len(set(header)) < len(header):
        raise DataError(f"{where}a column stands twice in the first line")
    if "prefix" not in header or not {"per_min", "per_min_micros"} & set(header):
        raise DataError(f"{where}the first line must name the columns prefix and per_min (or per_min_micros)")


def write_deck(out: TextIO, rates: Iterable[RateRow]) -> None:
    """Write rates as a CSV file that `parse_deck` parses to the same rates."""
    # Lines end as in RFC 4180: with any other end the csv module leaves a lone CR in a name unquoted.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("direction", "prefix", "per_min", "connection_fee", "increment", "valid_from", "valid_to", "name"))
    for direction, prefix, per_min, fee, increment, first, begin, end, name, *_ in rates:
        since, until = "" if begin == ALWAYS_TS else written(begin), "" if end is None else written(end)
        writer.writerow(
            (
                direction,
                prefix,
                format_amount(per_min),
                format_amount(fee),
                f"{first}/{increment}",
                since,
                until,
                defuse(name),
            )
        )
