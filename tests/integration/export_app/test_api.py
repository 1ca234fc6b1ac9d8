"""The API over a real PostgreSQL: what a page of calls has in it, and what a walk over the pages finds."""

import csv
import io
import json
from collections.abc import Callable, Mapping

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.calls.query import CallsQuery
from export_app.calls.workbook import MEDIA_TYPE as WORKBOOK
from tests.databases import store
from tests.factories import START_MS, call_row, price_of
from tests.integration.export_app.api_requests import Get, insert, refused
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY


def test_json_rows_have_the_public_columns_in_order(accounts: Connection, get: Get) -> None:
    """A JSON row has exactly the 16 columns in order, and the last page has no next_cursor."""
    insert(accounts, call_row("a"))
    answer = get()
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.data)
    assert list(body) == ["ok", "count", "currency", "rows"]
    assert (body["ok"], body["count"], body["currency"]) == (True, 1, "EUR")
    assert list(body["rows"][0].items()) == list(
        zip(
            COLUMNS,
            ("a", "acme", "outbound", "1001", "+4930123456", START_MS, START_MS + 4000, START_MS + 64_000, 64, 60, 1,
             "answered", "NORMAL_CLEARING", None, None, 21_000),
            strict=True,
        )
    )  # fmt: skip


def test_every_amount_has_its_currency(accounts: Connection, get: Get) -> None:
    """The page says it, in JSON and in CSV; where there are several, it says so, and `fields` shows which is whose."""
    euro, free, dollar = (call_row(name, start_ts=START_MS + n) for n, name in enumerate(("euro", "free", "dollar")))
    store(accounts, (euro, price_of(euro)), (free, price_of(free, None, None)))
    assert get().get_json()["currency"] == "EUR"
    assert get("format=csv").headers["X-Currency"] == "EUR"
    store(accounts, (dollar, price_of(dollar, 1, "USD")))
    mixed = get().get_json()
    assert mixed["currency"] == "mixed"
    assert mixed["hint"] == "amounts are in EUR and USD: with fields=…,currency each row says which"
    assert get("format=csv").headers["X-Currency"] == "mixed"
    assert [row["currency"] for row in get("fields=cost_micros,currency").get_json()["rows"]] == ["USD", None, "EUR"]
    assert get("limit=1").get_json()["currency"] == "USD"
    assert "currency" not in get("fields=call_id,billsec").get_json()
    assert "X-Currency" not in get("fields=call_id,billsec&format=csv").headers


def test_a_call_that_is_up_is_shown_with_nulls(accounts: Connection, get: Get) -> None:
    """What only the end of a call decides is null in JSON, and an empty field in CSV."""
    nothing = dict.fromkeys(("answer_ts", "end_ts", "duration_sec", "billsec", "disposition", "hangup_cause"))
    insert(accounts, call_row("up", **nothing, answered=0))
    (row,) = get().get_json()["rows"]
    assert [name for name in COLUMNS if row[name] is None] == [*nothing, "queue_id", "agent_id", "cost_micros"]
    (line,) = csv.DictReader(io.StringIO(get("format=csv").text, newline=""))
    assert [name for name in COLUMNS if line[name] == ""] == [*nothing, "queue_id", "agent_id", "cost_micros"]


def test_csv_is_an_attachment_with_formulas_defused(accounts: Connection, get: Get) -> None:
    """CSV is a download in which formulas are escaped; JSON is never changed, and with raw=1 CSV is not either."""
    insert(accounts, call_row("a", from_num='=cmd|"x"', to_num="+4930123456", queue_id="\ufeff\uff1d1;-1"))
    answer = get(f"format=csv&until={START_MS + 1}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls-until-20260921T141320Z.csv"'
    assert "X-Next-Cursor" not in answer.headers
    header, line = answer.text.removesuffix("\r\n").split("\r\n")
    assert header == ",".join(COLUMNS)
    assert line.split(",")[3:5] == ['"\'=cmd|""x"""', "+4930123456"]
    assert line.split(",")[13] == "'\ufeff\uff1d1;'-1"
    assert '"=cmd|""x"""' in get("format=csv&raw=1").text
    assert get().get_json()["rows"][0]["from_num"] == '=cmd|"x"'


def test_since_is_included_and_until_is_not(accounts: Connection, get: Get) -> None:
    """The time window includes its start and excludes its end."""
    insert(accounts, *(call_row(str(ms), start_ts=START_MS + ms) for ms in range(4)))
    rows = get(f"since={START_MS + 1}&until={START_MS + 3}").get_json()["rows"]
    assert [row["call_id"] for row in rows] == ["2", "1"]
    assert get(f"since={START_MS}&until={START_MS}").get_json()["count"] == 0


def test_a_since_in_the_future_finds_nothing(get: Get) -> None:
    """A since in the future is an empty page, not an error: the client's clock may be ahead of ours."""
    assert get("since=4000000000000").get_json() == {
        "ok": True,
        "count": 0,
        "currency": None,
        "rows": [],
    }


def walk(get: Get, query: str, page: Callable[[TestResponse], tuple[list[Mapping[str, str]], str | None]]) -> list[str]:
    """Follow the cursors to the end, and return the ids in the order they came."""
    found: list[str] = []
    cursor = None
    while True:
        answer = get(query if cursor is None else f"{query}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        rows, cursor = page(answer)
        found += [row["call_id"] for row in rows]
        if cursor is None:
            return found


def json_page(answer: TestResponse) -> tuple[list[Mapping[str, str]], str | None]:
    """Read a page of JSON."""
    body = json.loads(answer.data)
    assert body["count"] == len(body["rows"])
    return body["rows"], body.get("next_cursor")


def csv_page(answer: TestResponse) -> tuple[list[Mapping[str, str]], str | None]:
    """Read a page of CSV."""
    return list(csv.DictReader(io.StringIO(answer.text, newline=""))), answer.headers.get("X-Next-Cursor")


@pytest.mark.parametrize(("form", "page"), [("json", json_page), ("csv", csv_page)])
@pytest.mark.parametrize("limit", [700, 1000, 5000])
def test_a_walk_finds_every_row_once(
    accounts: Connection,
    get: Get,
    form: str,
    page: Callable[..., tuple[list[Mapping[str, str]], str | None]],
    limit: int,
) -> None:
    """Pages return each call once: over several days, with many calls in a millisecond, and with a full last page."""
    rows = [call_row(f"c{n:05}", start_ts=START_MS + n // 50 * (MS_PER_DAY // 20)) for n in range(5000)]
    insert(accounts, *rows, *(call_row(f"x{n}", "other", START_MS + n) for n in range(50)))
    newest_first = [row.call_id for row in sorted(rows, key=lambda row: (row.start_ts, row.call_id), reverse=True)]
    assert walk(get, f"format={form}&limit={limit}&until=4000000000000", page) == newest_first


def test_a_walk_does_not_see_calls_that_start_meanwhile(accounts: Connection, get: Get) -> None:
    """A left-out `until` is fixed by the first page: later calls do not appear, and all earlier ones do."""
    insert(accounts, *(call_row(f"c{n}", start_ts=START_MS - n) for n in range(30)))
    first = get("limit=10").get_json()
    insert(accounts, call_row("later", start_ts=START_MS + 1), call_row("between", start_ts=START_MS - 25))
    rest = get(f"limit=100&cursor={first['next_cursor']}").get_json()
    found = [row["call_id"] for row in first["rows"] + rest["rows"]]
    assert found[:25] == [f"c{n}" for n in range(25)]
    assert "later" not in found
    assert len(set(found)) == len(found) == 31


def test_an_account_reads_only_its_own_calls(accounts: Connection, get: Get) -> None:
    """An account reads its own calls; an operator reads all, also those without an account."""
    insert(accounts, call_row("a"), call_row("b", "other"), call_row("c", None))
    other = keys.create(accounts, account_id="other", scopes=["cdr"])[1]
    operator = keys.create(accounts, account_id=None, scopes=["operator"])[1]
    seen = {
        name: sorted(row["call_id"] for row in get(secret=secret).get_json()["rows"])
        for name, secret in (("other", other), ("operator", operator))
    }
    assert seen == {"other": ["b"], "operator": ["a", "b", "c"]}
    assert [row["call_id"] for row in get().get_json()["rows"]] == ["a"]


def test_a_cursor_works_only_unchanged_and_with_its_key(accounts: Connection, get: Get) -> None:
    """A cursor is refused with another key, when it was edited, and with parameters that contradict it."""
    insert(
        accounts, *(call_row(f"{account}{n}", account, START_MS + n) for n in range(3) for account in ("acme", "other"))
    )
    cursor = get("limit=1").get_json()["next_cursor"]
    other = keys.create(accounts, account_id="other", scopes=["cdr"])[1]
    assert "another key" in refused(get(f"cursor={cursor}", secret=other), 400, "bad_cursor")
    refused(get(f"cursor={cursor[:-1]}"), 400, "bad_cursor")
    refused(get("cursor="), 400, "bad_cursor")
    refused(get(f"cursor={cursor}&since=5"), 400, "cursor_mismatch")


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls?format=csv", "/v1/openapi.json", "/healthz", "/nothing"])
def test_every_response_has_security_headers(get: Get, path: str) -> None:
    """Every response forbids sniffing, storing, framing, loading anything, and use by pages of other sites."""
    headers = get(path=path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_reference_redirects_to_itself_whatever_the_host(client: FlaskClient) -> None:
    """A client says which host it asked. The redirect names none, so that no cache keeps one to somebody else's."""
    answer = client.get("/v1/docs", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, "docs/")
    assert client.get("/v1/docs/", buffered=True).status_code == 200


def test_the_openapi_document_lists_what_there_is(get: Get) -> None:
    """The document has every path, the parameters of calls, the columns in order, and the header of the key."""
    document = json.loads(get(path="/v1/openapi.json", secret=None).data)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/calls", "/v1/calls/{id}", "/v1/doubts", "/v1/unrated", "/v1/stats", "/v1/names", "/v1/statements",
        "/v1/statements/{month}",
        "/v1/whoami", "/v1/account", "/v1/numbers", "/v1/queues", "/v1/agents", "/v1/webhooks", "/v1/webhooks/{id}",
        "/v1/webhooks/test", "/v1/webhooks/{id}/test", "/v1/session", "/v1/sessions", "/v1/now",
            "/v1/wallboard/links", "/v1/wallboard/links/{id}", "/healthz", "/readyz",
    }  # fmt: skip
    listing = document["paths"]["/v1/calls"]["get"]
    assert [parameter["name"] for parameter in listing["parameters"]] == list(CallsQuery.model_fields)
    assert set(listing["responses"]) == {"200", "400", "401", "403", "429", "503"}
    forms = {"application/json", "text/csv", WORKBOOK}
    assert set(listing["responses"]["200"]["content"]) == forms
    listed = document["components"]["schemas"]["ListedCall"]
    assert tuple(listed["properties"]) == (*COLUMNS, *EXTRA_COLUMNS)
    assert "required" not in listed
    assert document["components"]["securitySchemes"]["key"]["name"] == "x-api-key"
