"""Rates as a CSV file: columns by name, every bad row reported with its line, all rows taken or none.

Columns: `prefix` and one of `per_min` (decimal currency units) or `per_min_micros` are required. Optional:
`direction` (default outbound), `connection_fee` or `connection_fee_micros` (0), `increment` as first/next: `60/60`,
`30/6`, `1/1` (60/60), `valid_from` and `valid_to` as ISO 8601 (always), `name` (direction and prefix). A name that a
spreadsheet would run as a formula gets a `'`, at the import already: so that importing an export changes nothing.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import TextIO, TypeAlias

import msgspec

from tollbook.errors import DataError
from tollbook.model.formula import defuse
from tollbook.model.money import format_amount
from tollbook.model.rate import RateTerms
from tollbook.model.vocabulary import DIRECTIONS
from tollbook.store.tariffs.deck_staging import PROBLEMS_SHOWN, problem_report
from tollbook.store.tariffs.tariffs import RateRow
from tollbook.times import instant, written

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

# A minute that costs more than a thousand units of any currency is a misplaced decimal point.
_MAX_MICROS = 1_000_000_000
# Raises Inexact where the default context would round an amount to 28 digits, which could make it a whole micro.
_EXACT = Context(prec=28, traps=[Inexact, InvalidOperation])
_MAX_INCREMENT_SEC = 3600
_MAX_PREFIX_DIGITS = 18

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
        for line, record in _records(name, lines):
            place = f"{name} line {line}".lstrip()
            try:
                terms = _terms(record)
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


def _records(name: str, lines: Iterable[str]) -> Iterator[tuple[int, _Record]]:
    reader = csv.reader(lines, strict=True)
    where = f"{name}: " if name else ""
    try:
        header = [column.strip().lower() for column in next(reader, list[str]())]
        unknown = [column for column in header if column not in DECK_COLUMNS]
        if unknown:
            raise DataError(f"{where}unknown column {unknown[0]!r}: known are {', '.join(sorted(DECK_COLUMNS))}")
        if len(set(header)) < len(header):
            raise DataError(f"{where}a column stands twice in the first line")
        if "prefix" not in header or not {"per_min", "per_min_micros"} & set(header):
            raise DataError(f"{where}the first line must name the columns prefix and per_min (or per_min_micros)")
        for values in reader:
            if values:
                record = dict(zip(header, (value.strip() for value in values), strict=False))
                yield reader.line_num, record if len(values) == len(header) else {"": f"{len(values)} fields"}
    except csv.Error as error:
        raise DataError(f"{where}line {reader.line_num}: not CSV: {error}") from error


def _terms(record: _Record) -> RateTerms:
    if "" in record:
        raise ValueError(f"{record['']} where the first line names a different number of columns")
    direction = record.get("direction") or "outbound"
    if direction not in DIRECTIONS:
        raise ValueError(f"direction {direction!r} is not one of {', '.join(DIRECTIONS)}")
    prefix = record["prefix"].removeprefix("+")
    if prefix and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= _MAX_PREFIX_DIGITS):
        raise ValueError(f"prefix {record['prefix']!r} is not digits")
    first, following = _increments(record.get("increment") or "60/60")
    valid_from, valid_to = _instant(record.get("valid_from", "")), _instant(record.get("valid_to", ""))
    if valid_to is not None and valid_to <= (valid_from or ALWAYS_TS):
        raise ValueError("valid_to is not after valid_from")
    return RateTerms(
        direction=direction,
        prefix=prefix,
        per_min_micros=_price(record, "per_min"),
        connection_fee_micros=_price(record, "connection_fee"),
        increment_sec=following,
        first_increment_sec=first,
        valid_from_ts=valid_from or ALWAYS_TS,
        valid_to_ts=valid_to,
        name=defuse(record.get("name") or f"{direction} {prefix}".strip()),
    )


def _price(record: _Record, column: str) -> int:
    decimal, micros = record.get(column, ""), record.get(f"{column}_micros", "")
    if decimal and micros:
        raise ValueError(f"{column} and {column}_micros are both given")
    if not decimal and not micros:
        if column == "per_min":
            raise ValueError("the price of a minute is missing")
        return 0
    return _micros(column, decimal, 1_000_000) if decimal else _micros(column, micros, 1)


# A deck of a million rates has a few thousand prices, a dozen increments and a handful of dates.
@lru_cache(maxsize=10_000)
def _micros(column: str, text: str, unit: int) -> int:
    try:
        amount = Decimal(text)
        if not amount.is_finite():
            raise ValueError(f"{column} {text!r} is not an amount")
        if not 0 <= amount <= Decimal(_MAX_MICROS) / unit:
            raise ValueError(f"{column} {text} is not between 0 and {_MAX_MICROS // unit}")
        return int(_EXACT.quantize(_EXACT.multiply(amount, unit), Decimal(1)))
    except Inexact:
        raise ValueError(f"{column} {text} is finer than a micro: round it") from None
    except InvalidOperation:
        raise ValueError(f"{column} {text!r} is not an amount") from None


@lru_cache(maxsize=1_000)
def _increments(text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"increment {text!r} is not written like 60/60, 30/6 or 1/1")
    first, following = (int(part[:9]) for part in parts)
    if not (1 <= first <= _MAX_INCREMENT_SEC and 1 <= following <= _MAX_INCREMENT_SEC):
        raise ValueError(f"increment {text!r}: each must be from 1 to {_MAX_INCREMENT_SEC} seconds")
    return first, following


@lru_cache(maxsize=1_000)
def _instant(text: str) -> int | None:
    return instant(text) if text else None


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
