"""`GET /v1/unrated`: why calls have no price is counted for operators, and for nobody else."""

import time

import pytest
from flask.testing import FlaskClient

from export_app.calls.unrated import Unrated
from tests.databases import store
from tests.factories import call_row
from tollbook.model.charge import Price
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

NOW = time.time_ns() // 1_000_000
BERLIN, MUNICH = "no rate for outbound +4930123456", "no rate for outbound +4930999; no rate for inbound 1001"


@pytest.fixture
def unrated(accounts: Connection) -> Connection:
    calls = [
        ("old", "acme", NOW - 4 * MS_PER_DAY, BERLIN),
        ("first", "acme", NOW - 5000, BERLIN),
        ("second", "acme", NOW - 4000, MUNICH),
        ("other", "other", NOW - 3000, "the account has no rate plan"),
        ("nobody", None, NOW - 2000, "the call has no account"),
        ("priced", "acme", NOW - 1000, None),
    ]
    for call_id, account, started, reason in calls:
        price = Price(cost_micros=None if reason else 1, parts=(), unrated=reason)
        store(accounts, (call_row(call_id, account, started), price))
    return accounts


@pytest.mark.usefixtures("unrated")
def test_calls_are_counted_by_what_settles_them(client: FlaskClient, operator_key: str) -> None:
    """Of the last three days: numbers that begin alike stand together, with the newest call."""
    answer = client.get("/v1/unrated", headers={"x-api-key": operator_key}).json
    assert Unrated.model_validate(answer)
    assert answer["calls"] == 4
    assert [(one["account_id"], one["kind"], one["calls"], one["call_id"]) for one in answer["unrated"]] == [
        ("acme", "no_rate", 2, "second"), ("other", "no_plan", 1, "other"), (None, "no_account", 1, "nobody"),
    ]  # fmt: skip
    assert answer["unrated"][0]["what"] == "no prefix of the plan matches outbound +4930…"
    assert answer["unrated"][0]["billsec"] == 120


@pytest.mark.usefixtures("unrated")
def test_a_time_and_an_account_can_be_asked_for(client: FlaskClient, operator_key: str) -> None:
    headers = {"x-api-key": operator_key}
    whole = client.get(f"/v1/unrated?since={NOW - 5 * MS_PER_DAY}&account=acme", headers=headers).json
    assert [one["calls"] for one in whole["unrated"]] == [3]
    before = client.get(f"/v1/unrated?since={NOW - 5 * MS_PER_DAY}&until={NOW - 5000}", headers=headers).json
    assert (before["calls"], before["until_ts"]) == (1, NOW - 5000)


@pytest.mark.usefixtures("unrated")
def test_an_account_s_key_is_refused(client: FlaskClient, key: str) -> None:
    answer = client.get("/v1/unrated?account=acme", headers={"x-api-key": key})
    assert (answer.status_code, answer.json["code"]) == (403, "missing_scope")
