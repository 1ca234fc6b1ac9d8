"""Calls as people read them: times in a zone, amounts as decimals with their currency. Pure, but for `zoneinfo`."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from tollbook.model.formula import defuse
from tollbook.model.record import Record
from tollbook.times import LAST_MS, MS_PER_DAY

#: Where spreadsheets expect `,` between fields and a decimal point; in the others `;` and a decimal comma.
POINT_LOCALES: Final = ("en",)
Locale: TypeAlias = Literal[
    "en", "bg", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "it", "lt", "lv", "nb", "nl", "pl", "pt",
    "ro", "ru", "sk", "sl", "sv", "tr", "uk",
]  # fmt: skip
# By this mark a spreadsheet that opens the file knows that it is UTF-8.
_BYTE_ORDER_MARK: Final = "\ufeff"
_TIME: Final = "_ts"
_COST: Final = "cost_micros"
_CURRENCY: Final = "currency"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, kw_only=True)
class Style:
    """How values are written: times in `zone`, and decimals as the locale has them."""

    zone: ZoneInfo
    locale: Locale = "en"

    @property
    def separator(self) -> str:
        """What stands between the fields of a line."""
        return "," if self.locale in POINT_LOCALES else ";"

    def decimal(self, number: Decimal | float) -> str:
        """Write a number with the locale's decimal mark, and without grouping."""
        text = f"{number:f}" if isinstance(number, Decimal) else repr(number)
        return text if self.locale in POINT_LOCALES else text.replace(".", ",")

    def moment(self, ms: int) -> dt.datetime:
        """Return a time, epoch ms, in the zone."""
        return local_time(ms, self.zone)


def local_time(ms: int, zone: ZoneInfo) -> dt.datetime:
    """Return a time, epoch ms, in a zone, to the millisecond; what is left of the last day of 9999 is a day earlier."""
    ms = min(ms, LAST_MS - MS_PER_DAY)  # elsewhere the year 10,000 has begun then, which Python does not have
    return dt.datetime.fromtimestamp(ms // 1000, dt.UTC).astimezone(zone).replace(microsecond=ms % 1000 * 1000)


def columns_read(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are shown for those that were asked for: the currency stands beside the amount."""
    shown: list[str] = []
    for name in columns:
        shown.append(name)
        if name == _COST and _CURRENCY not in columns:
            shown.append(_CURRENCY)
    return tuple(shown)


def titles(columns: Iterable[str]) -> list[str]:
    """Return what columns are called here: the values are others than those of the same call in JSON."""
    return [
        "cost" if name == _COST else f"{name.removesuffix(_TIME)}_time" if name.endswith(_TIME) else name
        for name in columns
    ]


def values(
    rows: Iterable[Record], columns: Sequence[str], zone: ZoneInfo
) -> Iterator[list[str | int | float | Decimal | bool | dt.datetime | None]]:
    """Yield the rows with times in a zone and amounts as decimals, exact to the micro."""
    timed = [name.endswith(_TIME) for name in columns]
    costs = [name == _COST for name in columns]
    for row in rows:
        found: list[str | int | float | Decimal | bool | dt.datetime | None] = []
        for value, is_time, is_cost in zip(row, timed, costs, strict=True):
            if isinstance(value, int) and is_time:
                found.append(local_time(value, zone))
            elif isinstance(value, int) and is_cost:
                found.append(Decimal(value).scaleb(-6))
            else:
                assert value is None or isinstance(value, str | int | float | bool)
                found.append(value)
        yield found


def encode_csv(rows: Iterable[Record], columns: Sequence[str], style: Style, *, raw: bool = False) -> bytes:
    """Encode rows of these columns, those of `columns_read`, as CSV for a spreadsheet of the style's locale.

    Times are ISO 8601 with their offset. Text that a spreadsheet would run as a formula gets a `'`, unless `raw`.
    """
    text = io.StringIO(newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text, delimiter=style.separator, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(titles(columns))
    for row in values(rows, columns, style.zone):
        writer.writerow([_field(value, style, raw=raw) for value in row])
    return text.getvalue().encode()


def _field(value: str | int | float | Decimal | bool | dt.datetime | None, style: Style, *, raw: bool) -> object:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value if raw else defuse(value)
        case dt.datetime():
            return value.isoformat(timespec="milliseconds")
        case float() | Decimal():
            return style.decimal(value)
        case _:
            return value


def file_name(account_id: str | None, since: int, until: int, zone: ZoneInfo, extension: str) -> str:
    """Name a file after its account (None: all) and the times, epoch ms, that it spans; a since of 0 is the beginning.

    ASCII letters, digits, dots, dashes and underscores alone: it becomes a header, and a file on any system.
    """
    account = _NOT_IN_A_NAME.sub("_", account_id or "all")[:_LONGEST_NAME].strip("._") or "account"
    first = "beginning" if since == 0 else f"{local_time(since, zone):%Y%m%dT%H%M%S}"
    return f"calls-{account}-{first}-{local_time(until, zone):%Y%m%dT%H%M%S}.{extension}"
