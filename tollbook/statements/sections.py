"""The lines of a statement in the order in which people read them: by currency, by month, by direction. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tollbook.model.statement_sums import LineSums
from tollbook.statements.statement import Line, Statement, Total

#: What a line is called whose calls no rate priced: they were not answered, or their direction is free.
NO_DESTINATION: Final = "not answered, or free of charge"


@dataclass(frozen=True, kw_only=True)
class Section:
    """The lines of a month and a kind in one currency and direction, with their exact sum."""

    title: str
    lines: Sequence[Line]
    sums: LineSums


def by_currency(statement: Statement) -> Iterator[tuple[str | None, Sequence[Section], Total | None]]:
    """Yield each currency with its sections and its total; None: free calls without a plan, which have no total."""
    totals = {total.currency: total for total in statement.totals}
    lines = sorted(statement.lines, key=lambda line: (line.currency is None, line.currency or ""))
    for currency, some in groupby(lines, key=lambda line: line.currency):
        yield currency, list(_sections(list(some))), totals.get(currency or "")


def _sections(lines: Sequence[Line]) -> Iterator[Section]:
    ordered = sorted(lines, key=lambda line: (line.kind != "calls", line.month, line.kind, line.direction))
    for (kind, month, direction), some in groupby(ordered, key=lambda line: (line.kind, line.month, line.direction)):
        section = list(some)
        sums = LineSums()
        for line in section:
            sums += line.sums
        name = f"{direction.capitalize()} calls"
        if kind == "correction":
            name = f"Correction of {month}: {direction} calls"
        elif kind == "erased":
            name = f"Erased calls of {month}, not credited: {direction}"
        yield Section(title=name, lines=section, sums=sums)
