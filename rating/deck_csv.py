"""Rates as a CSV file: columns by name, every bad row reported with its line, all rows taken or none.

Columns: `prefix` and one of `per_min` (decimal currency units) or `per_min_micros` are required. Optional:
`direction` (default outbound), `connection_fee` or `connection_fee_micros` (0), `increment` as first/next: `60/60`,
`30/6`, `1/1` (60/60), `valid_from` and `valid_to` as ISO 8601 (always), `name` (direction and prefix). Columns are
separated by `,`, or by `;` where the first line is. A name that a spreadsheet would run as a formula gets a `'`, at the
import already: so that importing an export changes nothing.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TextIO, TypeAlias

import msgspec

from rating.deck_cells import DecimalMark, increments, micros, time_ms
from tollbook.errors import DataError
from tollbook.model.formula import defuse
from tollbook.model.money import format_amount
from tollbook.model.rate import RateTerms
from tollbook.model.vocabulary import DIRECTIONS
from tollbook.store.tariffs.deck_staging import PROBLEMS_SHOWN, problem_report
from tollbook.store.tariffs.tariffs import RateRow
from tollbook.times import written

DECK_COLUMNS = frozenset(
    (
        "direction",
        "prefix",
        "per_min",
        "per_min_micros",
        "connection_fee",
        "connection_fee_micros",
        "increment",
        "valid_from",
        "valid_to",
        "name",
    )
)

_MAX_PREFIX_DIGITS = 18
_SEPARATOR_LINES = ("sep=,", "sep=;")

# `valid_from` of a rate that has always been in force.
ALWAYS_TS = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DeckRow:
    """One rate of a file, and its place there."""

    place: str
    terms: RateTerms

    def values(self) -> tuple[object, ...]:
        """Return the values in the order in which the store takes them."""
        return (self.place, *msgspec.structs.astuple(self.terms))


_Record: TypeAlias = "dict[str, str]"


def parse_deck(files: Iterable[tuple[str, Iterable[str]]]) -> Iterator[DeckRow]:
    """Parse the rates of a deck from its files, each (name, lines); a file alone needs no name.

    Rates are yielded as they are read, and none is held. Raises DataError that names every bad line, at a file's first
    line or after the last rate: so discard what was yielded unless the end is reached. The store finds rates whose
    times overlap.
    """
    problems: list[str] = []
    rates = bad = 0
    for name, lines in files:
        for line, record, mark in _records(name, iter(lines)):
            place = f"{name} line {line}".lstrip()
            try:
                terms = _terms(record, mark)
            except ValueError as error:
                bad += 1
                if bad <= PROBLEMS_SHOWN:
                    problems.append(f"{place}: {error}")
                continue
            rates += 1
            yield DeckRow(place=place, terms=terms)
    if bad:
        raise DataError(problem_report(problems, bad))
    if not rates:
        raise DataError(problem_report(["the file holds no rates"], 1))


def _records(name: str, lines: Iterable[str]) -> Iterator[tuple[int, _Record, DecimalMark]]:
    where = f"{name}: " if name else ""
    head, delimiter, before = _head(lines)
    reader = csv.reader(chain([head], lines), delimiter=delimiter, strict=True)
    mark = DecimalMark(may_be_comma=delimiter == ";")
    try:
        header = [column.strip().lower() for column in next(reader, list[str]())]
        _check_header(where, header)
        for values in reader:
            cells = [value.strip() for value in values]
            if any(cells):  # rows that were emptied in a spreadsheet are saved as delimiters alone
                record = dict(zip(header, cells, strict=False))
                if len(cells) != len(header):
                    record = {"": f"{len(cells)} fields"}
                yield reader.line_num + before, record, mark
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


def _terms(record: _Record, mark: DecimalMark) -> RateTerms:
    if "" in record:
        raise ValueError(f"{record['']} where the first line names a different number of columns")
    direction = record.get("direction") or "outbound"
    if direction not in DIRECTIONS:
        raise ValueError(f"direction {direction!r} is not one of {', '.join(DIRECTIONS)}")
    prefix = record["prefix"].removeprefix("+")
    if prefix and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= _MAX_PREFIX_DIGITS):
        raise ValueError(f"prefix {record['prefix']!r} is not digits")
    first, following = increments(record.get("increment") or "60/60")
    valid_from, valid_to = time_ms(record.get("valid_from", "")), time_ms(record.get("valid_to", ""))
    if valid_to is not None and valid_to <= (valid_from or ALWAYS_TS):
        raise ValueError("valid_to is not after valid_from")
    return RateTerms(
        direction=direction,
        prefix=prefix,
        per_min_micros=_price(record, "per_min", mark),
        connection_fee_micros=_price(record, "connection_fee", mark),
        increment_sec=following,
        first_increment_sec=first,
        valid_from_ts=valid_from or ALWAYS_TS,
        valid_to_ts=valid_to,
        name=defuse(record.get("name") or f"{direction} {prefix}".strip()),
    )


def _price(record: _Record, column: str, mark: DecimalMark) -> int:
    units, millionths = record.get(column, ""), record.get(f"{column}_micros", "")
    if units and millionths:
        raise ValueError(f"{column} and {column}_micros are both given")
    if not units and not millionths:
        if column == "per_min":
            raise ValueError("the price of a minute is missing")
        return 0
    if units:
        return micros(column, mark.with_point(column, units), 1_000_000)
    return micros(f"{column}_micros", millionths, 1)


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
