"""The columns of a deck, and what a row says under them: the terms of a rate."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from rating.deck_cells import DecimalMark, increments, micros, time_ms
from tollbook.model.formula import defuse
from tollbook.model.vocabulary import DIRECTIONS

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

# `valid_from` of a rate that has always been in force.
ALWAYS_TS = 0

_MAX_PREFIX_DIGITS: Final = 18
# What rows share, and names, that are held as they were read: a deck of a million rates has a few thousand of each.
_HELD: Final = 10_000

# The fields of RateTerms, and those of them that many rows of a deck share: all but prefix and name.
_Terms: TypeAlias = tuple[str, str, int, int, int, int, int, int | None, str]
_Shared: TypeAlias = tuple[str, int, int, int, int, int, int | None]


class DeckColumns:
    """The columns of one file, which read its rows. What the cells beside prefix and name mean is read once for all."""

    def __init__(self, header: Sequence[str], mark: DecimalMark) -> None:
        """Take the names of the columns, `prefix` among them, and what separates units from fractions."""
        self._header: Final = header
        self._prefix_at: Final = header.index("prefix")
        self._name_at: Final = header.index("name") if "name" in header else None
        self._mark: Final = mark
        self._shared: Final = lru_cache(_HELD)(self._read_shared)

    def terms(self, cells: list[str]) -> _Terms:
        """Return the fields of RateTerms that a row gives, which is used up. Raises ValueError with what is wrong."""
        if len(cells) != len(self._header):
            raise ValueError(f"{len(cells)} fields where the first line names a different number of columns")
        prefix = _prefix(cells[self._prefix_at])
        cells[self._prefix_at] = name = ""
        if self._name_at is not None:
            name = _name(cells[self._name_at])
            cells[self._name_at] = ""
        direction, per_min, fee, following, first, begin_ts, end_ts = self._shared(tuple(cells))
        name = name or f"{direction} {prefix}".rstrip()
        return direction, prefix, per_min, fee, following, first, begin_ts, end_ts, name

    def _read_shared(self, cells: Sequence[str]) -> _Shared:
        record = {column: cell.strip() for column, cell in zip(self._header, cells, strict=True)}
        direction = record.get("direction") or "outbound"
        if direction not in DIRECTIONS:
            raise ValueError(f"direction {direction!r} is not one of {', '.join(DIRECTIONS)}")
        first, following = increments(record.get("increment") or "60/60")
        valid_from, valid_to = time_ms(record.get("valid_from", "")), time_ms(record.get("valid_to", ""))
        if valid_to is not None and valid_to <= (valid_from or ALWAYS_TS):
            raise ValueError("valid_to is not after valid_from")
        return (
            direction,
            self._price(record, "per_min"),
            self._price(record, "connection_fee"),
            following,
            first,
            valid_from or ALWAYS_TS,
            valid_to,
        )

    def _price(self, record: dict[str, str], column: str) -> int:
        units, millionths = record.get(column, ""), record.get(f"{column}_micros", "")
        if units and millionths:
            raise ValueError(f"{column} and {column}_micros are both given")
        if not units and not millionths:
            if column == "per_min":
                raise ValueError("the price of a minute is missing")
            return 0
        if units:
            return micros(column, self._mark.with_point(column, units), 1_000_000)
        return micros(f"{column}_micros", millionths, 1)


def _prefix(cell: str) -> str:
    prefix = cell.strip().removeprefix("+")
    if prefix and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= _MAX_PREFIX_DIGITS):
        raise ValueError(f"prefix {cell.strip()!r} is not digits")
    return prefix


@lru_cache(_HELD)
def _name(cell: str) -> str:
    if "\0" in cell:
        raise ValueError(f"name {cell.strip()!r} has a NUL, which PostgreSQL does not store")
    return defuse(cell.strip())
