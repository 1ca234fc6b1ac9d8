"""A statement as CSV, RFC 4180: a row for each line, then those of the totals, then those of what no line counts.

Text that a spreadsheet would run as a formula gets a `'`, as in every CSV of ours.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

from tollbook.model.formula import defuse
from tollbook.model.money import format_amount
from tollbook.statements.amounts import minutes
from tollbook.statements.statement import Statement

#: Named as in JSON. `kind` is that of a line, or `net`, `tax`, `total`, `open` or `unrated`. `amount` of a line is
#: exact, of a total rounded.
COLUMNS: Final = (
    "account_id", "number", "kind", "month", "direction", "destination", "tax_name", "tax_rate", "currency",
    "calls", "billsec", "minutes", "amount",
)  # fmt: skip


def encode_csv(statement: Statement) -> bytes:
    """Return a statement as CSV in UTF-8; a null is an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for of_row in _rows(statement):
        row = (statement.account_id, statement.number, *of_row)
        writer.writerow([defuse(field) if index < _TEXTS and isinstance(field, str) else field
                         for index, field in enumerate(row)])  # fmt: skip
    return text.getvalue().encode()


# The columns up to the currency are texts; a negative amount is a number, and stays one.
_TEXTS: Final = COLUMNS.index("calls")


def _rows(statement: Statement) -> Iterator[tuple[object, ...]]:
    """Yield the columns from `kind` on."""
    month = statement.month
    for line in statement.lines:
        yield (
            line.kind, line.month, line.direction, line.destination, None, None, line.currency,
            line.calls, line.billsec, line.minutes, format_amount(line.amount_micros),
        )  # fmt: skip
    for total in statement.totals:
        sums = (total.currency, total.calls, total.billsec, total.minutes)
        yield ("net", month, None, None, None, None, *sums, total.net)
        for tax in total.taxes:
            yield ("tax", month, None, None, tax.name, tax.rate, total.currency, None, None, None, tax.tax)
        yield ("total", month, None, None, None, None, *sums, total.total)
    for some in statement.uncounted:
        nothing = (None,) * 5
        if some.open:
            yield ("open", some.month, *nothing, some.open, None, None, None)
        if some.unrated:
            seconds = some.unrated_billsec
            yield ("unrated", some.month, *nothing, some.unrated, seconds, minutes(seconds), None)
