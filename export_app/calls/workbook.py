"""A page of calls as an XLSX workbook: numbers of phones are text, times and amounts are cells of their kinds.

Written with XlsxWriter: it keeps one row in memory (`constant_memory`; the others are in a file of the temporary folder
until the workbook is zipped), writes a text as a text but for one form of its own (`_text`), and has no dependency.
openpyxl, in its write-only mode, takes every text that begins with `=` for a formula. 10,000 rows take 1.3 s of a core.
"""

import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter

from export_app.calls.for_people import titles, values
from tollbook.model.record import Record

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: What Excel takes in a cell. Longer texts (the charges of a call with hundreds of legs) are cut, and end with `…`.
LONGEST_TEXT: Final = 32_767
_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_WIDTHS: Final = {"call_id": 38, "from_num": 18, "to_num": 18, "destination": 24, "sip_call_id": 38}
_WIDTH: Final = 12
_TIME_WIDTH: Final = 22
_WHOLE_SHEET: Final = "A1:XFD1048576"


def encode_workbook(
    rows: Iterable[Record], columns: Sequence[str], zone: ZoneInfo, about: Mapping[str, str | int]
) -> bytes:
    """Encode rows of these columns, those of `for_people.columns_read`; `about` goes on a second sheet.

    Times are those of a clock in the zone: a cell has no offset, so the hour that a clock shows twice is there twice.
    """
    file = io.BytesIO()
    book: Any = xlsxwriter.Workbook(file, _OPTIONS)
    heading = book.add_format({"bold": True})
    formats = {
        dt.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
        Decimal: book.add_format({"num_format": "0.00####"}),
    }
    sheet = book.add_worksheet("calls")
    # Excel marks each phone number otherwise: a text that could be a number.
    sheet.ignore_errors({"number_stored_as_text": _WHOLE_SHEET})
    sheet.freeze_panes(1, 0)
    for place, (name, title) in enumerate(zip(columns, titles(columns), strict=True)):
        sheet.set_column(place, place, _TIME_WIDTH if name.endswith("_ts") else _WIDTHS.get(name, _WIDTH))
        sheet.write_string(0, place, title, heading)
    for number, row in enumerate(values(rows, columns, zone), start=1):
        for place, value in enumerate(row):
            _write(sheet, number, place, value, formats)
    notes = book.add_worksheet("about")
    notes.set_column(0, 1, 30)
    for number, (name, said) in enumerate(about.items()):
        notes.write_string(number, 0, name, heading)
        _write(notes, number, 1, said, formats)
    book.close()
    return file.getvalue()


def _write(sheet: Any, row: int, place: int, value: object, formats: Mapping[type, Any]) -> None:
    match value:
        case None:
            pass
        case bool():
            sheet.write_boolean(row, place, value)
        case str():
            sheet.write_string(row, place, _text(value))
        case dt.datetime():
            sheet.write_datetime(row, place, value.replace(tzinfo=None), formats[dt.datetime])
        case Decimal():
            sheet.write_number(row, place, float(value), formats[Decimal])
        case _:
            sheet.write_number(row, place, value)


def _text(value: str) -> str:
    """Return a text as the sheet may have it: no longer than LONGEST_TEXT in UTF-16, which is what Excel counts.

    XlsxWriter takes what begins and ends with tags of formatted text for its own, and writes it unescaped: a caller
    could write cells and formulas.
    """
    if len(value) * 2 > LONGEST_TEXT and len(units := value.encode("utf-16-le")) > LONGEST_TEXT * 2:
        value = units[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"
    return f"'{value}" if value.startswith("<r>") and value.endswith("</r>") else value
