"""`/v1/names`: what calls have had, by a part of its name, and of nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from export_app.names.schema import NameList
from tests.integration.export_app.api_requests import Get, refused
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.sums.rollup import roll_up

Put = Callable[..., None]
Find = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def find(client: FlaskClient) -> Find:
    """Return what is found with a key, as (parameter, value)."""

    def ask(secret: str, part: str, **more: Any) -> list[tuple[str, str]]:
        answer = client.get("/v1/names", query_string={"part": part, **more}, headers={"x-api-key": secret})
        assert answer.status_code == 200, answer.text
        return [(name.parameter, name.value) for name in NameList.model_validate_json(answer.data).names]

    return ask


@pytest.fixture
def named(put: Put, accounts: Connection) -> Connection:
    """Calls of both accounts with queues and agents, none of them rolled up."""
    for number, (account_id, queue_id, agent_id) in enumerate(
        (
            ("acme", "Sales@default", "1000@default"),
            ("acme", "presales@default", "1001@default"),
            ("acme", "sales_night", None),
            ("acme", "Ärzte", None),
            ("other", "sales@other.example", "1000@default"),
            (None, "sales of nobody", None),
        )
    ):
        put(f"call {number}", account_id=account_id, queue_id=queue_id, agent_id=agent_id)
    return accounts


@pytest.mark.parametrize("rolled_up", [False, True])
def test_a_part_of_a_name_finds_it(named: Connection, find: Find, key: str, rolled_up: bool) -> None:
    """What is sought comes first, without its domain and in any case, then what begins with it."""
    if rolled_up:
        roll_up(named)
        assert named.execute("SELECT count(*) FROM sum_delta").fetchone() == (0,)
    assert find(key, "sAles") == [
        ("queue_id", "Sales@default"), ("queue_id", "sales_night"), ("queue_id", "presales@default"),
    ]  # fmt: skip
    assert find(key, "100") == [("agent_id", "1000@default"), ("agent_id", "1001@default")]
    assert find(key, "1001@default") == [("agent_id", "1001@default")]
    assert find(key, "ärz") == [("queue_id", "Ärzte")]
    for nothing in ("acme", "other", "nobody", "%", "s_les", "sales\\"):
        assert find(key, nothing) == []


def test_an_operator_finds_those_of_every_account_once(named: Connection, find: Find, operator_key: str) -> None:
    roll_up(named)
    assert find(operator_key, "1000") == [("agent_id", "1000@default")]
    assert ("queue_id", "sales of nobody") in find(operator_key, "sales")
    assert find(operator_key, "other") == [("account", "other"), ("queue_id", "sales@other.example")]
    assert find(operator_key, "sales", account="other") == [("queue_id", "sales@other.example")]
    assert find(operator_key, "other", account="acme") == []


def test_only_names_of_one_kind(named: Connection, find: Find, operator_key: str) -> None:
    """However many of another kind contain the part."""
    del named
    assert find(operator_key, "s", parameter="account", limit=1) == []
    assert find(operator_key, "other", parameter="account", limit=1) == [("account", "other")]
    assert find(operator_key, "sales@o", parameter="queue_id") == [("queue_id", "sales@other.example")]


@pytest.mark.parametrize("rolled_up", [False, True])
def test_a_name_that_no_call_has_any_more_is_not_found(
    named: Connection, find: Find, key: str, operator_key: str, rolled_up: bool
) -> None:
    """A call that turns out to be another account's takes its queue along, and the account with its last call."""
    if rolled_up:
        roll_up(named)
    named.execute("UPDATE call_cdr SET account_id = 'other' WHERE call_id = 'call 2'")
    named.execute("DELETE FROM call_cdr WHERE account_id = 'other' AND call_id = 'call 4'")
    if rolled_up:
        roll_up(named)
    assert find(key, "night") == []
    assert find(operator_key, "night", account="other") == [("queue_id", "sales_night")]
    assert find(operator_key, "other") == [("account", "other")]
    assert find(operator_key, "other", parameter="queue_id") == []


def test_more_is_said(client: FlaskClient, named: Connection, key: str) -> None:
    """A list that is cut says so."""
    del named
    for limit, more in ((2, True), (3, False)):
        answer = client.get(f"/v1/names?part=sales&limit={limit}", headers={"x-api-key": key}).get_json()
        assert (len(answer["names"]), answer["more"]) == (limit, more)


def test_what_is_refused(get: Get, accounts: Connection, key: str) -> None:
    refused(get(path="/v1/names"), 400, "bad_parameter")
    refused(get("part=", path="/v1/names"), 400, "bad_parameter")
    refused(get("part=a&account=other", path="/v1/names"), 403, "operator_only")
    own = keys.create(accounts, account_id="acme", scopes=["numbers"])[1]
    refused(get("part=a", path="/v1/names", secret=own), 403, "missing_scope")
    del key
