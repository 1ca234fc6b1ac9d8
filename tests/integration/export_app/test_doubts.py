"""`GET /v1/doubts`: what may be free by mistake is counted for operators, and for nobody else."""

import time

import pytest
from flask.testing import FlaskClient

from export_app.calls.doubts import Doubts
from tests.databases import store
from tests.factories import call_row, price_of
from tollbook.model.doubts import Doubt
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

NOW = time.time_ns() // 1_000_000
CARRIER = Doubt("short_number", "203.0.113.9")


@pytest.fixture
def in_doubt(accounts: Connection) -> Connection:
    rows = [
        call_row("old", start_ts=NOW - 4 * MS_PER_DAY, doubts=[["short_number", "203.0.113.9"]]),
        call_row("first", start_ts=NOW - 3000, doubts=[["short_number", "203.0.113.9"]]),
        call_row("second", start_ts=NOW - 2000, doubts=[["short_number", "203.0.113.9"], ["transit", "<script>"]]),
        call_row("certain", start_ts=NOW - 1000),
    ]
    store(accounts, *((row, price_of(row)) for row in rows))
    return accounts


@pytest.mark.usefixtures("in_doubt")
def test_calls_are_counted_by_the_setting_that_settles_them(client: FlaskClient, operator_key: str) -> None:
    """Of the last three days; a call with two doubts is in both lines."""
    answer = client.get("/v1/doubts", headers={"x-api-key": operator_key}).json
    assert Doubts.model_validate(answer)
    assert answer["calls"] == 3
    short, transit = answer["doubts"]
    assert short | {"helps": ""} == {
        "kind": "short_number",
        "name": "203.0.113.9",
        "calls": 2,
        "billsec": 120,
        "call_id": "second",
        "what": "answered legs to short numbers at the host 203.0.113.9, which is in neither list: free, as extensions"
        " are",
        "helps": "",
    }
    assert short["helps"].startswith("name 203.0.113.9 in TOLLBOOK_TRUNKS if it is a carrier's, in TOLLBOOK_ONNET")
    assert (transit["name"], transit["calls"]) == ("<script>", 1)


@pytest.mark.usefixtures("in_doubt")
def test_another_time_can_be_asked_for(client: FlaskClient, operator_key: str) -> None:
    headers = {"x-api-key": operator_key}
    whole = client.get(f"/v1/doubts?since={NOW - 5 * MS_PER_DAY}", headers=headers).json
    assert (whole["calls"], whole["doubts"][0]["calls"]) == (4, 3)
    assert client.get(f"/v1/doubts?since={NOW}", headers=headers).json["doubts"] == []


def test_an_account_s_key_is_refused(client: FlaskClient, key: str) -> None:
    """A host tells a tenant who the operator's carriers are."""
    answer = client.get("/v1/doubts", headers={"x-api-key": key})
    assert (answer.status_code, answer.json["code"]) == (403, "missing_scope")
    assert "made with --operator" in answer.json["message"]


def test_a_doubt_is_no_change_of_a_call(accounts: Connection) -> None:
    """A host that was named in a list since makes no new revision, and sends no call to the archive again."""
    row = call_row("a", start_ts=NOW, doubts=[["short_number", "203.0.113.9"]])
    for found in (row, call_row("a", start_ts=NOW)):
        store(accounts, (found, price_of(found)))
    assert accounts.execute("SELECT revision, doubts FROM call_cdr").fetchall() == [
        (1, [["short_number", "203.0.113.9"]])
    ]
