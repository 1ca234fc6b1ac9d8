"""What `/v1/calls` can be asked for: filters, order, fields, links, compression."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.calls.cursor import CallsCursor, ChangesCursor, SyncCursor, encode
from export_app.context import Services
from tests.factories import START_MS
from tollbook.model.filters import MAX_BILLSEC, Filters
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.history import read_epoch
from tollbook.times import LAST_MS

Ask = Callable[..., TestResponse]
Put = Callable[..., None]


def ids(answer: TestResponse) -> list[str]:
    """The calls of an answer, in its order."""
    assert answer.status_code == 200, answer.text
    return [row["call_id"] for row in answer.get_json()["rows"]]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("direction", "inbound", {"in"}),
        ("disposition", "busy", {"busy"}),
        ("number", "1001", {"busy", "queued", "percent"}),
        ("number", "+4930", {"in", "busy"}),
        ("number", "+493012345", {"in", "busy"}),
        ("number", "+4930123457", set()),
        ("number", "%", {"percent"}),
        ("number", "1_01", set()),
        ("number", "\U0010ffff", {"last"}),
        ("queue_id", "sales", {"queued"}),
        ("agent_id", "anna", {"queued"}),
        ("min_billsec", "61", {"queued"}),
        ("min_billsec", "60", {"in", "queued", "percent", "last"}),
        ("min_billsec", "0", {"in", "busy", "queued", "percent", "last"}),
    ],
)
def test_filters(ask: Ask, put: Put, name: str, value: str, found: set[str]) -> None:
    """A number is the beginning of either side, by letter: % and _ mean themselves. An open call has no billsec."""
    put("in", direction="inbound", from_num="+4930123456", to_num="200")
    put("busy", disposition="busy", billsec=0, answered=0, answer_ts=None)
    put("queued", to_num="300", queue_id="sales", agent_id="anna", billsec=90)
    put("percent", to_num="%49")
    put("last", from_num="2", to_num="\U0010ffff1")
    nothing = dict.fromkeys(("answer_ts", "end_ts", "duration_sec", "billsec", "disposition", "hangup_cause"))
    put("up", from_num="2", to_num="300", answered=0, **nothing)
    put("foreign", account_id="other", direction="inbound", from_num="1001", queue_id="sales", agent_id="anna")
    for order in ("asc", "desc"):
        assert set(ids(ask(order=order, **{name: value}))) == found
    assert set(ids(ask(**{"min_billsec": "1", name: value}))) == found - {"busy"} or name == "min_billsec"


def test_oldest_first_is_newest_first_backwards(ask: Ask, put: Put) -> None:
    """In pages too, with several calls in a millisecond."""
    for number in range(30):
        put(f"c{number:02}", start_ts=START_MS + number // 4)
    found: list[str] = []
    answer = ask(order="asc", limit=7)
    while True:
        found += ids(answer)
        if "next_cursor" not in answer.get_json():
            break
        answer = ask(cursor=answer.get_json()["next_cursor"], limit=7)
    assert found == [f"c{number:02}" for number in range(30)] == ids(ask())[::-1]


@pytest.mark.parametrize("least", [True, False])
def test_a_cursor_that_a_client_signed_itself_is_read_from_or_refused(
    ask: Ask, put: Put, accounts: Connection, key: str, least: bool
) -> None:
    """A client knows its key's hash. The least and the greatest values that a cursor may hold fail nowhere."""
    put("a")
    epoch = read_epoch(accounts)
    ms, transaction = (0, 0) if least else (LAST_MS, 2**63 - 1)
    filters = Filters(min_billsec=0 if least else MAX_BILLSEC, number="\U0010ffff")
    common = {"filters": filters, "made_s": ms // 1000}
    last = {"start_ts": ms, "call_id": "a", "switch": "fs1"}
    walked = "expired_cursor" if least else None
    synced = "too_long_ago" if least else "sync_reset"  # no transaction has that number yet
    for cursor, code in (
        (CallsCursor(**common, **last, since=ms, until=ms, order="asc"), walked),
        (CallsCursor(**common, **last, since=0, until=LAST_MS, order="desc"), walked),
        (ChangesCursor(**common, **last, updated_since=ms, changed=transaction, epoch=epoch), walked or synced),
        (SyncCursor(**common, first=transaction, epoch=epoch), synced),
        (SyncCursor(**common, first=transaction, epoch=("0" if least else "f") * 32), "sync_reset"),
    ):
        answer = ask(cursor=encode(cursor, keys.key_hash(key)))
        assert answer.get_json().get("code") == code, cursor
    odd = CallsCursor(**common, start_ts=START_MS, call_id="\0", switch="", since=0, until=START_MS, order="asc")
    assert ask(cursor=encode(odd, keys.key_hash(key))).get_json()["code"] == "bad_cursor"


def test_fields_are_chosen_and_ordered(ask: Ask, put: Put) -> None:
    """A column asked for twice comes once; a page without keys goes on all the same."""
    put("a")
    put("b", start_ts=START_MS + 1)
    answer = ask(fields="to_num,cost_micros,to_num", limit=1).get_json()
    assert [list(row.items()) for row in answer["rows"]] == [[("to_num", "+4930123456"), ("cost_micros", 21_000)]]
    assert ask(cursor=answer["next_cursor"], fields="call_id").get_json()["rows"] == [{"call_id": "a"}]
    assert ask(fields="call_id,billsec", format="csv").text == "call_id,billsec\r\nb,60\r\na,60\r\n"
    assert ask(fields="queue_id", format="csv").text == 'queue_id\r\n""\r\n""\r\n'


def test_what_lies_behind_the_record_is_shown_when_asked_for(ask: Ask, put: Put, operator_key: str) -> None:
    """In JSON the parts are JSON, in CSV they are JSON in a field."""
    put("a")
    (row,) = ask(operator_key, fields=",".join((*COLUMNS, *EXTRA_COLUMNS))).get_json()["rows"]
    assert tuple(row) == (*COLUMNS, *EXTRA_COLUMNS)
    part = {
        "direction": "outbound",
        "number": "+4930123456",
        "seconds": 21_000,
        "cost_micros": 21_000,
        "rate": "Germany",
    }
    assert (row["switch"], row["revision"], row["estimated"], row["parts"]) == ("fs1", 1, False, [part])
    assert row["updated_ts"] > START_MS
    (line,) = csv.DictReader(io.StringIO(ask(fields="estimated,parts", format="csv").text, newline=""))
    assert line["estimated"] == "false"
    assert json.loads(line["parts"]) == [part]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_page_links_to_the_next(client: FlaskClient, ask: Ask, put: Put, key: str, form: str) -> None:
    """With all that was asked for, and never with the key; the last page links nowhere."""
    put("a", to_num="+49 30")
    put("b", start_ts=START_MS + 1, to_num="+49 30")
    answer = ask(format=form, limit=1, number="+49 ", fields="call_id,to_num")
    link = answer.headers["Link"]
    assert link.endswith('>; rel="next"')
    assert key not in link
    following = client.get(link[1:].partition(">")[0], headers={"x-api-key": key})
    assert "a" in following.text
    assert following.content_type == answer.content_type
    assert "Link" not in following.headers


def test_links_are_whole_where_the_operator_says_where_the_api_is(services: Services, put: Put, key: str) -> None:
    """With TOLLBOOK_API_URL, which the OpenAPI document names as its server; not by what a client says of its host."""
    put("a")
    put("b")
    client = create_app(replace(services, api_url="https://calls.example.com/pbx")).test_client()
    answer = client.get("/v1/calls?limit=1", headers={"x-api-key": key, "Host": "evil.example"})
    assert answer.headers["Link"].startswith("<https://calls.example.com/pbx/v1/calls?limit=1&cursor=")
    assert client.get("/v1/openapi.json").get_json()["servers"] == [{"url": "https://calls.example.com/pbx"}]


def test_gzip_for_those_who_take_it(client: FlaskClient, ask: Ask, put: Put, key: str) -> None:
    """The same bytes when unpacked; small answers and other clients get them plain. The answer varies by it."""
    for number in range(100):
        put(f"c{number}")
    plain = ask(format="csv")
    assert "Content-Encoding" not in plain.headers
    for sent, packed in (("gzip, deflate, br", True), ("gzip;q=0", False), ("identity", False), ("*", True)):
        answer = client.get("/v1/calls?format=csv", headers={"x-api-key": key, "Accept-Encoding": sent})
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed, sent
        assert (gzip.decompress(answer.data) if packed else answer.data) == plain.data
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(answer.data)
    small = client.get("/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers
