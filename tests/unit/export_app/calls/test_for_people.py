"""Exports for people: times in a zone, decimals by the locale, numbers as text, and no formula."""

import csv
import datetime as dt
import io
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.calls.for_people import (
    Style,
    columns_read,
    encode_csv,
    file_name,
    titles,
)
from export_app.calls.workbook import LONGEST_TEXT, encode_workbook
from tollbook.model.formula import defuse
from tollbook.times import LAST_MS

BERLIN = ZoneInfo("Europe/Berlin")
COLUMNS = ("call_id", "from_num", "to_num", "start_ts", "billsec", "estimated", "rx_mos", "cost_micros", "currency")
ROW = ("a", "030123456", "+4930123456", 1767225600123, 60, False, 4.41, 1021000, "EUR")
HOSTILE = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x";"y")', "a;=1+1", "﹦1+1", "{=1}"]


def on_clock(ms: int) -> dt.datetime:
    """The time of ROW as a clock in Berlin shows it."""
    return dt.datetime.fromisoformat(f"2026-01-01T01:00:00.{ms:03}")


def read_csv(body: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=separator))


def sheet(body: bytes, name: str = "calls") -> list[tuple[Any, ...]]:
    """Return the values of a sheet, read by another library; a formula would be a text that begins with =."""
    book = openpyxl.load_workbook(io.BytesIO(body))
    cells = list(book[name].iter_rows())
    assert all(cell.data_type != "f" for row in cells for cell in row)
    return [tuple(cell.value for cell in row) for row in cells]


@pytest.mark.parametrize(
    ("locale", "separator", "cost", "mos"), [("en", ",", "1.021000", "4.41"), ("de", ";", "1,021000", "4,41")]
)
def test_a_line_is_what_the_locales_spreadsheet_reads(locale: Any, separator: str, cost: str, mos: str) -> None:
    """With a mark that says UTF-8, times with their offset, and an amount that is exact to the micro."""
    body = encode_csv([ROW], COLUMNS, Style(zone=BERLIN, locale=locale))
    assert body.startswith(b"\xef\xbb\xbfcall_id")
    assert body.endswith(b"\r\n")
    assert read_csv(body, separator) == [
        ["call_id", "from_num", "to_num", "start_time", "billsec", "estimated", "rx_mos", "cost", "currency"],
        ["a", "030123456", "+4930123456", "2026-01-01T01:00:00.123+01:00", "60", "false", mos, cost, "EUR"],
    ]  # fmt: skip


def test_an_amount_has_its_currency_beside_it() -> None:
    """Whether it was asked for or not, and once; what has other values has another name."""
    assert columns_read(("cost_micros", "call_id")) == ("cost_micros", "currency", "call_id")
    assert columns_read(("currency", "cost_micros")) == ("currency", "cost_micros")
    assert columns_read(("call_id",)) == ("call_id",)
    assert titles(("start_ts", "updated_ts", "cost_micros", "wait_ms")) == [
        "start_time", "updated_time", "cost", "wait_ms",
    ]  # fmt: skip


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_caller_writes_a_formula(text: str, locale: Any) -> None:
    """In CSV its cell begins with a `'`, wherever the file is split, unless it is raw. In XLSX it is text."""
    style = Style(zone=BERLIN, locale=locale)
    row = (text, *ROW[1:])
    assert read_csv(encode_csv([row], COLUMNS, style), style.separator)[1][0] == defuse(text)
    assert read_csv(encode_csv([row], COLUMNS, style, raw=True), style.separator)[1][0] == text
    assert sheet(encode_workbook([row], COLUMNS, BERLIN, {"account": text}))[1][0] == text
    assert sheet(encode_workbook([row], COLUMNS, BERLIN, {"account": text}), "about") == [("account", text)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30), max_size=5))
def test_a_csv_file_has_the_fields_that_went_in(texts: list[str]) -> None:
    """Whatever they hold, by whatever separator."""
    for locale in ("en", "fr"):
        style = Style(zone=BERLIN, locale=locale)
        rows = [(text, text) for text in texts]
        found = read_csv(encode_csv(rows, ("from_num", "to_num"), style, raw=True), style.separator)
        assert found[1:] == [[text, text] for text in texts]


def test_a_workbook_has_text_times_and_numbers() -> None:
    """A phone number keeps its 0 and its +, a time is one of the zone's clock, an amount a number; null is empty."""
    empty = ("b", "1", "2", 1767225600000, None, None, None, None, None)
    body = encode_workbook([ROW, empty], COLUMNS, BERLIN, {"account": "acme", "calls": 2})
    heading, first, second = sheet(body)
    assert heading == tuple(titles(COLUMNS))
    assert first == (
        "a", "030123456", "+4930123456", on_clock(123), 60, False, 4.41, 1.021, "EUR",
    )  # fmt: skip
    assert second == ("b", "1", "2", on_clock(0), None, None, None, None, None)
    assert sheet(body, "about") == [("account", "acme"), ("calls", 2)]


@pytest.mark.parametrize("ms", [0, LAST_MS])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "UTC"])
def test_the_first_and_the_last_time_have_a_name(ms: int, zone: str) -> None:
    """Until can be the end of 9999, where in some zone the year 10,000 has begun."""
    assert file_name("acme", ms, ms, ZoneInfo(zone), "csv").startswith("calls-acme-")


def test_a_text_is_cut_where_a_cell_ends() -> None:
    """Excel refuses a workbook with a longer text; control characters come back as they were."""
    long, odd = "x" * (LONGEST_TEXT + 1), 'a\x01b\x1f<&>"ü\U0001f600'
    body = encode_workbook([(long, odd)], ("call_id", "from_num"), BERLIN, {})
    (_, (cut, kept)) = sheet(body)
    assert (len(cut), cut[-1]) == (LONGEST_TEXT, "…")
    assert kept.replace("_x0001_", "\x01").replace("_x001F_", "\x1f") == odd


@pytest.mark.parametrize(
    ("account_id", "since", "name"),
    [
        ("acme", 1767222000000, "calls-acme-20260101T000000-20260101T010000.csv"),
        (None, 0, "calls-all-beginning-20260101T010000.csv"),
        ('../"\r\nx; y', 0, "calls-x_y-beginning-20260101T010000.csv"),
        ("ü", 0, "calls-account-beginning-20260101T010000.csv"),
        ("a" * 300, 0, f"calls-{'a' * 60}-beginning-20260101T010000.csv"),
    ],
)
def test_a_file_is_named_after_its_account_and_times(account_id: str | None, since: int, name: str) -> None:
    """In ASCII that no header and no system takes for anything else."""
    assert file_name(account_id, since, 1767225600000, BERLIN, "csv") == name
