"""`format=xlsx` and `style=local`: the same calls as in JSON, for people."""

import csv
import io
from collections.abc import Callable
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from werkzeug.test import TestResponse

from export_app.calls.workbook import encode_workbook
from tests.factories import START_MS, UP
from tests.integration.export_app.api_requests import refused
from tollbook.store.database import Connection

Ask = Callable[..., TestResponse]
Put = Callable[..., None]


def local(answer: TestResponse, separator: str = ",") -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=separator))


def test_people_get_the_calls_of_json(ask: Ask, put: Put) -> None:
    """With the same columns in the same order, and the currency beside the cost; a call that is up has no end."""
    put("priced", from_num="=1+1", to_num="030123456")
    put("up", start_ts=START_MS + 1, **UP)
    rows = ask().get_json()["rows"]
    lines = local(ask(format="csv", style="local", tz="Europe/Berlin", locale="de"), ";")
    assert [line["call_id"] for line in lines] == [row["call_id"] for row in rows] == ["up", "priced"]
    up, priced = lines
    assert list(priced)[-2:] == ["cost", "currency"]
    assert (priced["cost"], priced["currency"], priced["from_num"]) == ("0,021000", "EUR", "'=1+1")
    assert priced["start_time"].endswith(("+01:00", "+02:00"))
    assert (up["end_time"], up["cost"]) == ("", "")
    answer = ask(format="xlsx", tz="Europe/Berlin", since=START_MS, until=START_MS + 5)
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    cells = list(book["calls"].iter_rows(values_only=True))
    assert [row[0] for row in cells] == ["call_id", "up", "priced"]
    assert cells[2][3:5] == ("=1+1", "030123456")
    about = dict(book["about"].iter_rows(values_only=True))
    assert (about["account"], about["calls"], about["complete"]) == ("acme", 2, "yes")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=calls-acme-20")
    assert answer.headers["Content-Disposition"].endswith(".xlsx")


def test_pages_and_syncs_have_their_cursors_in_headers(ask: Ask, put: Put, accounts: Connection) -> None:
    """As CSV for programs has them; a part is named after its calls' times, and says that there is more."""
    for number in range(3):
        put(f"call{number}", start_ts=START_MS + number * 1000)
    first = ask(format="xlsx", limit=2)
    assert (
        dict(openpyxl.load_workbook(io.BytesIO(first.data))["about"].iter_rows(values_only=True))["complete"] != "yes"
    )
    second = ask(format="csv", style="local", limit=2, cursor=first.headers["X-Next-Cursor"])
    assert [line["call_id"] for line in local(second)] == ["call0"]
    assert "X-Next-Cursor" not in second.headers
    names = [answer.headers["Content-Disposition"] for answer in (first, second)]
    assert names[0] != names[1]
    accounts.execute("UPDATE call_cdr SET account_id = 'other' WHERE call_id = 'call1'")
    changes = ask(format="csv", style="local", updated_since=0)
    assert {line["call_id"]: line["deleted"] for line in local(changes)} == {
        "call0": "false", "call2": "false", "call1": "true",
    }  # fmt: skip
    assert "X-Sync-Cursor" in changes.headers


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"style": "local"}, "style=local is a style of format=csv"),
        ({"format": "xlsx", "style": "local"}, "style=local is a style of format=csv"),
        ({"tz": "Europe/Berlin"}, "tz is for format=xlsx"),
        ({"format": "csv", "tz": "Europe/Berlin"}, "tz is for format=xlsx"),
        ({"format": "csv", "locale": "de"}, "locale is for format=csv with style=local"),
        ({"format": "xlsx", "tz": "Berlin"}, "did you mean"),
        ({"format": "csv", "style": "local", "locale": "xx"}, "locale must be 'en', 'bg'"),
    ],
)
def test_what_would_be_ignored_is_refused(ask: Ask, query: dict[str, str], message: str) -> None:
    """A zone or a locale that changes nothing was meant for something else."""
    assert message in refused(ask(**query), 400, "bad_parameter")


@pytest.mark.parametrize("hostile", ["<r></bad></r>", '<r><t>x</t></r></is></c><c r="C2"><f>1+1</f></c><r></r>'])
def test_a_caller_writes_no_cells(ask: Ask, put: Put, hostile: str) -> None:
    """Markup in a number is text in the workbook: it makes no formula, and spoils no page."""
    put("hostile", from_num=hostile)
    put("innocent")
    answer = ask(format="xlsx")
    cells = [row[3] for row in openpyxl.load_workbook(io.BytesIO(answer.data))["calls"].iter_rows(values_only=True)]
    assert "'" + hostile in cells
    assert len(cells) == 3


def test_a_text_is_as_long_as_excel_takes_it() -> None:
    """Counted in UTF-16, in which an emoji is two: what is cut ends with a mark."""
    rows = [(text,) for text in ("a" * 32_767, "a" * 32_768, "\N{SLIGHTLY SMILING FACE}" * 20_000)]
    book = openpyxl.load_workbook(io.BytesIO(encode_workbook(rows, ("from_num",), ZoneInfo("UTC"), {})))
    whole, cut, faces = [row[0] for row in book["calls"].iter_rows(min_row=2, values_only=True)]
    assert whole == "a" * 32_767
    assert cut == "a" * 32_766 + "…"
    assert faces == "\N{SLIGHTLY SMILING FACE}" * 16_383 + "…"


def test_a_page_of_one_account_is_named_after_it(ask: Ask, put: Put, operator_key: str) -> None:
    """Also where the account was named with the first page alone, and its cursor has it."""
    for number in range(2):
        put(f"call{number}", account_id="acme")
    first = ask(operator_key, account="acme", limit=1)
    second = ask(operator_key, format="xlsx", cursor=first.get_json()["next_cursor"])
    about = dict(openpyxl.load_workbook(io.BytesIO(second.data))["about"].iter_rows(values_only=True))
    assert about["account"] == "acme"
    assert "filename=calls-acme-" in second.headers["Content-Disposition"]
