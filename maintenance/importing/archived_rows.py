"""Folded and priced rows in the archive's columns, for calls that never were in PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tollbook.archive._pyarrow import pa
from tollbook.archive.schema import ARCHIVE_COLUMNS, TIMES, archived_account, arrow_schema
from tollbook.model.charge import Price
from tollbook.model.details import Details
from tollbook.model.record import Row

_encode = msgspec.json.Encoder().encode
_DETAILS: Final = frozenset(Details.__struct_fields__)
_OF_PRICE: Final = frozenset(("cost_micros", "currency", "destination"))
_US_PER_MS: Final = 1000


def archived_rows(rows: Sequence[tuple[Row, Price]]) -> Any:
    """Return complete rows with their prices as an Arrow table with the archive's columns."""
    schema = arrow_schema()
    columns: list[Any] = []
    for name in ARCHIVE_COLUMNS:
        values = [_value(name, row, price) for row, price in rows]
        kind = schema.field(name).type
        if name in TIMES:
            microseconds = [None if value is None else value * _US_PER_MS for value in values]
            columns.append(pa.array(microseconds, pa.int64()).cast(kind))
        else:
            columns.append(pa.array(values, kind))
    return pa.table(columns, schema=schema)


def _value(name: str, row: Row, price: Price) -> Any:
    if name in _DETAILS:
        value = getattr(row.details, name)
        if name in ("recordings", "vars"):
            return _encode(value).decode() if value else None
        return value
    if name in _OF_PRICE:
        return getattr(price, name)
    match name:
        case "account_id":
            return archived_account(row.account_id)
        case "parts":
            return _encode(price.parts).decode()
        case "revision":
            return 1
        case _:
            return getattr(row, name)
