"""The API over a real PostgreSQL: who can read what, page by page, and what every error says."""

import csv
import io
import json
import time
from collections.abc import Callable, Mapping

import pytest
from flask.testing import FlaskClient
from psycopg import sql
from werkzeug.test import TestResponse

from export_app.calls.query import CallsQuery
from tests.databases import store
from tests.factories import START_MS, call_row, price_of
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS, Row
from tollbook.store import keys
from tollbook.store.calls import pages
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs.accounts import set_disabled
from tollbook.times import MS_PER_DAY

Get = Callable[..., TestResponse]


def insert(connection: Connection, *rows: Row) -> None:
    """Store rows, each complete one with a price."""
    connection.autocommit = True
    store(connection, *((row, price_of(row)) for row in rows))


@pytest.fixture
def get(client: FlaskClient, key: str) -> Get:
    """Return a function that requests /v1/calls, or another path, with acme's key, or another."""

    def ask(query: str = "", *, secret: str | None = key, path: str = "/v1/calls") -> TestResponse:
        headers = {} if secret is None else {"x-api-key": secret}
        return client.get(f"{path}?{query}" if query else path, headers=headers)

    return ask


def refused(answer: TestResponse, status: int, code: str) -> str:
    """Check an error response, and return its message."""
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    body = json.loads(answer.data)
    assert list(body) == ["ok", "code", "message"]
    assert (body["ok"], body["code"]) == (False, code)
    return body["message"]


def test_json_rows_have_the_public_columns_in_order(accounts: Connection, get: Get) -> None:
    """A JSON row has exactly the 16 columns in order, and the last page has no next_cursor."""
    insert(accounts, call_row("a"))
    answer = get()
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.data)
    assert list(body) == ["ok", "count", "rows"]
    assert (body["ok"], body["count"]) == (True, 1)
    assert list(body["rows"][0].items()) == list(
        zip(
            COLUMNS,
            ("a", "acme", "outbound", "1001", "+4930123456", START_MS, START_MS + 4000, START_MS + 64_000, 64, 60, 1,
             "answered", "NORMAL_CLEARING", None, None, 21_000),
            strict=True,
        )
    )  # fmt: skip


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
    insert(accounts, call_row("a", from_num='=cmd|"x"', to_num="+4930123456"))
    answer = get(f"format=csv&until={START_MS + 1}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls-until-20260921T141320Z.csv"'
    assert "X-Next-Cursor" not in answer.headers
    header, line = answer.text.removesuffix("\r\n").split("\r\n")
    assert header == ",".join(COLUMNS)
    assert line.split(",")[3:5] == ['"\'=cmd|""x"""', "+4930123456"]
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
    assert get("since=4000000000000").get_json() == {"ok": True, "count": 0, "rows": []}


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


@pytest.mark.parametrize("secret", [None, ""])
def test_a_key_is_needed(get: Get, secret: str | None) -> None:
    """Without a key the response is 401, and names the header to send it in."""
    answer = get(secret=secret)
    assert "x-api-key" in refused(answer, 401, "missing_key")
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey ")


@pytest.mark.parametrize("secret", ["sk_" + "A" * 43, "sk_short", "Bearer x", "sk_" + "é" * 43])
def test_an_unknown_key_is_refused(get: Get, secret: str) -> None:
    """A key that is unknown, whatever its form, is refused with a message that does not repeat it."""
    assert secret not in refused(get(secret=secret), 401, "unknown_key")


def test_a_revoked_key_is_refused_at_once(accounts: Connection, get: Get, key: str) -> None:
    """A revoked key fails from its next request on."""
    assert get().status_code == 200
    keys.revoke(accounts, keys.every(accounts)[0].key_id)
    refused(get(), 401, "unknown_key")


def test_a_disabled_accounts_keys_are_refused_until_it_is_enabled(accounts: Connection, get: Get, key: str) -> None:
    """A disabled account's key fails from its next request on and works again later; an operator's key always works."""
    operator = keys.create(accounts, account_id=None, scopes=["operator"])[1]
    set_disabled(accounts, "acme", disabled=True)
    refused(get(), 401, "unknown_key")
    assert get(secret=operator).status_code == 200
    set_disabled(accounts, "acme", disabled=False)
    assert get().status_code == 200


def test_a_missing_scope_is_named(accounts: Connection, get: Get) -> None:
    """Without the scope the response is 403 and names it; whoami still answers."""
    secret = keys.create(accounts, account_id="acme", scopes=["stats"])[1]
    assert "scope cdr" in refused(get(secret=secret), 403, "missing_scope")
    assert get(secret=secret, path="/v1/whoami").get_json()["scopes"] == ["stats"]


def test_whoami_shows_whose_key_it_is(get: Get, key: str) -> None:
    """whoami shows the account, the scopes and the beginning of the key, as `tollbook key list` does."""
    answer = get(path="/v1/whoami").get_json()
    assert answer == {"ok": True, "account_id": "acme", "scopes": ["cdr"], "key": key[:8]}
    refused(get("x=1", path="/v1/whoami"), 400, "unknown_parameter")


def test_a_key_in_the_query_is_refused_unread(get: Get, key: str) -> None:
    """A key in the URL works for nobody, because it is in a log somewhere."""
    assert "header x-api-key" in refused(get(f"api_key={key}", secret=None), 400, "key_in_query")
    refused(get(f"x-api-key={key}", path="/healthz"), 400, "key_in_query")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_parameter"),
        ("since=-1", "bad_parameter"),
        ("since=2&until=1", "bad_parameter"),
        ("since=yesterday", "bad_parameter"),
        ("format=xml", "bad_parameter"),
        ("account=other", "unknown_parameter"),
        ("limit=1&limit=1", "repeated_parameter"),
    ],
)
def test_wrong_parameters_are_refused(get: Get, query: str, code: str) -> None:
    """A wrong parameter is refused by the running application; the unit tests have the table of all cases."""
    assert refused(get(query), 400, code)


def test_404_and_405_are_json(client: FlaskClient, get: Get) -> None:
    """An unknown path and a wrong method are answered in JSON, the method with Allow."""
    assert "/v1/openapi.json" in refused(get(path="/v1/nothing"), 404, "not_found")
    answer = client.post("/v1/calls")
    refused(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_an_internal_error_shows_no_details(
    client: FlaskClient, get: Get, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is a 500 without details, which are in the log."""

    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("SELECT secret")

    monkeypatch.setattr(pages, "read_page", fail)
    assert "secret" not in refused(get(), 500, "internal_error")
    assert "SELECT secret" in caplog.text


def cut_all(connection: Connection) -> None:
    """End every other session of the database."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_cut_connections_are_replaced(accounts: Connection, get: Get) -> None:
    """After a restart of PostgreSQL no request gets a dead connection."""
    assert get().status_code == 200
    cut_all(accounts)
    assert get().status_code == 200


def test_without_a_database_there_is_503_and_when_to_come_back(
    accounts: Connection, postgres_url: str, get: Get
) -> None:
    """While the database is away the response is 503 with Retry-After; afterwards requests work again."""
    assert get().status_code == 200
    name = sql.Identifier(accounts.info.dbname)
    with connect(postgres_url, name="test", autocommit=True) as outside:
        outside.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
    cut_all(accounts)
    for path in ("/v1/calls", "/readyz"):
        answer = get(path=path)
        assert "tollbook_" not in refused(answer, 503, "unavailable")
        assert answer.headers["Retry-After"] == "5"
    with connect(postgres_url, name="test", autocommit=True) as outside:
        outside.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    deadline = time.monotonic() + 30
    while get().status_code != 200:
        assert time.monotonic() < deadline


def test_a_schema_that_is_not_ours_is_not_ready(accounts: Connection, get: Get) -> None:
    """With a wrong schema /readyz is 503, and /healthz is still 200."""
    assert get(path="/readyz", secret=None).get_json() == {"ok": True}
    accounts.execute("UPDATE alembic_version SET version_num = '9999'")
    answer = get(path="/readyz", secret=None)
    refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert get(path="/healthz", secret=None).get_json() == {"ok": True}


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls?format=csv", "/v1/openapi.json", "/healthz", "/nothing"])
def test_every_response_has_security_headers(get: Get, path: str) -> None:
    """Every response forbids sniffing, storing, framing, and loading anything."""
    headers = get(path=path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_openapi_document_lists_what_there_is(get: Get) -> None:
    """The document has every path, the parameters of calls, the columns in order, and the header of the key."""
    document = json.loads(get(path="/v1/openapi.json", secret=None).data)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/calls", "/v1/calls/{id}", "/v1/stats", "/v1/whoami", "/healthz", "/readyz",
    }  # fmt: skip
    listing = document["paths"]["/v1/calls"]["get"]
    assert [parameter["name"] for parameter in listing["parameters"]] == list(CallsQuery.model_fields)
    assert set(listing["responses"]) == {"200", "400", "401", "403", "429", "503"}
    assert set(listing["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    listed = document["components"]["schemas"]["ListedCall"]
    assert tuple(listed["properties"]) == (*COLUMNS, *EXTRA_COLUMNS)
    assert "required" not in listed
    assert document["components"]["securitySchemes"]["key"]["name"] == "x-api-key"


def test_the_last_use_of_a_key_is_stored_once_a_minute(accounts: Connection, get: Get, key: str) -> None:
    """A second request within the minute writes nothing."""
    get()
    first = keys.every(accounts)[0].last_used_at
    assert first is not None
    get()
    assert keys.every(accounts)[0].last_used_at == first
    accounts.execute("UPDATE api_key SET last_used_at = now() - interval '2 minutes'")
    get()
    last = keys.every(accounts)[0].last_used_at
    assert last is not None
    assert last >= first


def test_only_the_hash_of_a_key_is_stored(accounts: Connection, key: str) -> None:
    """No column of the key's row contains the key."""
    (row,) = accounts.execute("SELECT api_key::text FROM api_key").fetchall()
    assert key not in row[0]
    assert key[:12] not in row[0]
