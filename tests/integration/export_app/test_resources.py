"""`/v1/account`, `/v1/numbers` and `/v1/queues`: an account's own, and for operators those of the account they name."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from export_app.account.schema import AccountAnswer, NumberList
from export_app.queues.schema import QueueList
from export_app.web.schema import ResponseModel
from tests.databases import store
from tests.factories import BUSY, START_MS, call_row, price_of
from tests.integration.export_app.api_requests import Get, refused
from tollbook.model.details import Details
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.statements.billing import BillingChange, change
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.accounts import set_disabled, set_numbering

Ask = Callable[..., Any]
MODELS: dict[str, type[ResponseModel]] = {
    "/v1/account": AccountAnswer, "/v1/numbers": NumberList, "/v1/queues": QueueList,
}  # fmt: skip


@pytest.fixture
def ask(client: FlaskClient, accounts: Connection, operator_key: str) -> Ask:
    """Ask with a key of every scope of acme, or the operator's; the answer is as the document says."""
    secrets = {"acme": keys.create(accounts, account_id="acme", scopes=["*"])[1], "operator": operator_key}

    def get(path: str, who: str = "acme", **parameters: object) -> dict[str, Any]:
        asked = {name: str(value) for name, value in parameters.items()}
        answer = client.get(path, query_string=asked, headers={"x-api-key": secrets[who]})
        assert answer.status_code == 200, answer.text
        MODELS[path].model_validate_json(answer.data)
        return answer.get_json()

    return get


@pytest.mark.parametrize(("path", "scope"), [("/v1/numbers", "numbers"), ("/v1/queues", "queues")])
def test_each_resource_has_a_scope(get: Get, accounts: Connection, path: str, scope: str) -> None:
    """The key of calls does not open it; its own scope opens it, and no calls."""
    assert f"scope {scope}" in refused(get(path=path), 403, "missing_scope")
    own = keys.create(accounts, account_id="acme", scopes=[scope])[1]
    assert get(path=path, secret=own).status_code == 200
    refused(get(secret=own), 403, "missing_scope")


@pytest.mark.parametrize("path", MODELS)
def test_an_account_reads_its_own_alone(get: Get, accounts: Connection, path: str) -> None:
    """Whichever account a key names, its own too: the account comes from the key."""
    own = keys.create(accounts, account_id="acme", scopes=["*"])[1]
    for named in ("other", "acme", "nobody"):
        refused(get(f"account={named}", path=path, secret=own), 403, "operator_only")


def test_an_account_knows_itself(ask: Ask, accounts: Connection, get: Get) -> None:
    """Any key sees its account's name, status, zone and numbering plan; an operator names one."""
    shown = ask("/v1/account")
    assert shown["created_ts"] > 0
    assert {**shown, "created_ts": 0} == {
        "ok": True, "account_id": "acme", "name": "acme", "status": "active", "timezone": "UTC", "numbering": None,
        "created_ts": 0, "accountId": "acme",
    }  # fmt: skip
    set_numbering(accounts, "other", "DE")
    change(accounts, "other", BillingChange(zone="Europe/Berlin"))
    set_disabled(accounts, "other", disabled=True)
    of_other = ask("/v1/account", who="operator", account="other")
    assert [of_other[name] for name in ("name", "status", "timezone", "numbering")] == [
        "other", "disabled", "Europe/Berlin", "DE",
    ]  # fmt: skip


def test_an_operator_names_the_account(get: Get, operator_key: str) -> None:
    """An operator's key has no account, so that one without a name, and one that is not there, are errors."""
    refused(get(path="/v1/account", secret=operator_key), 400, "bad_parameter")
    refused(get("account=nobody", path="/v1/account", secret=operator_key), 404, "unknown_account")


def test_numbers_are_read_page_by_page(ask: Ask, accounts: Connection) -> None:
    """In the order of their text, each once, and none of another account; a name is no E.164 number."""
    tariffs.add_numbers(accounts, "acme", ["+49 30 123456", "support", "+12125550100"])
    tariffs.add_numbers(accounts, "other", ["+4940123456"])
    page = ask("/v1/numbers", limit=2)
    found = page["numbers"]
    while "next_cursor" in page:
        page = ask("/v1/numbers", limit=2, cursor=page["next_cursor"])
        found += page["numbers"]
    assert [(number["number"], number["e164"]) for number in found] == [
        ("12125550100", "12125550100"), ("4930123456", "4930123456"), ("support", None),
    ]  # fmt: skip
    assert {number["account_id"] for number in found} == {"acme"}
    assert ask("/v1/numbers", cursor="4")["count"] == 2
    assert ask("/v1/numbers", who="operator")["count"] == 4
    assert [number["number"] for number in ask("/v1/numbers", who="operator", account="other")["numbers"]] == [
        "4940123456"
    ]


def queue_call(connection: Connection, call_id: str, queue_id: str | None = "support", **changed: Any) -> None:
    """Store a call of a queue, or of none."""
    row = call_row(call_id, queue_id=queue_id, **changed)
    store(connection, (row, price_of(row)))


@pytest.fixture
def queued(accounts: Connection) -> Connection:
    """Eight calls of acme's queue support: five answered, one overflowed, two abandoned; and one of other's."""
    for number, (wait_ms, talk_ms) in enumerate([(1000, 60000), (20000, 30001), (20001, 30000), (5000, 20000)]):
        details = Details(wait_ms=wait_ms, talk_ms=talk_ms)
        queue_call(accounts, f"served{number}", agent_id="anna", details=details)
    queue_call(accounts, "served4", agent_id="bert", details=Details(wait_ms=100, talk_ms=10))
    queue_call(accounts, "overflowed", details=Details(wait_ms=30000))
    for number in range(2):
        details = Details(wait_ms=4000)
        queue_call(accounts, f"gone{number}", **BUSY | {"disposition": "abandoned"}, details=details)
    queue_call(accounts, "of fifo", "fifo")
    queue_call(accounts, "no queue", None)
    queue_call(accounts, "of other", account_id="other", agent_id="otto", details=Details(wait_ms=1, talk_ms=1))
    return accounts


def test_a_queues_figures_are_sipios(ask: Ask, queued: Connection) -> None:
    """By their formulas: whom the queue let go is abandoned, percentages are whole, the service level is 20 s."""
    answer = ask("/v1/queues", since=START_MS - 1, until=START_MS + 1)
    support, fifo = answer["queues"]
    assert support == {
        "queue_id": "support", "account_id": "acme", "offered": 8, "answered": 5, "abandoned": 3, "overflowed": 1,
        # 37.5, (1000 + 20000 + 20001 + 5000 + 100) / 5 = 9220.2, 4 of 8, (60000 + 30001 + 30000 + 20000 + 10) / 5
        "abandonRatePct": 38, "asaMs": 9220, "slSec": 20, "serviceLevelPct": 50, "ahtMs": 28002,
    }  # fmt: skip
    # A call of mod_fifo states neither wait nor talk: these are not known, and so not 0.
    assert [fifo[name] for name in ("queue_id", "answered", "asaMs", "serviceLevelPct", "ahtMs")] == [
        "fifo", 1, None, None, None,
    ]  # fmt: skip
    assert (answer["from_ts"], answer["until_ts"], answer["more"]) == (START_MS - 1, START_MS + 1, False)
    assert ask("/v1/queues", since=START_MS, until=START_MS + 1, slSec=4)["queues"][0]["serviceLevelPct"] == 25
    least = ask("/v1/queues", since=START_MS, until=START_MS + 1, limit=1)
    assert (least["count"], least["more"]) == (1, True)


def test_the_figures_are_those_of_stats(ask: Ask, queued: Connection, client: FlaskClient, operator_key: str) -> None:
    """One book: the counts are what /v1/stats has, for each queue; an operator sees whose each is, or of one alone."""
    window = {"since": START_MS, "until": START_MS + 1}
    asked = {"group_by": "account,queue", **window}
    groups = client.get("/v1/stats", query_string=asked, headers={"x-api-key": operator_key}).get_json()["groups"]
    of_stats = {
        (group["account_id"], group["queue_id"]): (group["offered"], group["answered"], group["overflowed"])
        for group in groups
        if group["queue_id"] is not None
    }
    found = ask("/v1/queues", who="operator", **window)["queues"]
    assert of_stats == {
        (queue["account_id"], queue["queue_id"]): (queue["offered"], queue["answered"], queue["overflowed"])
        for queue in found
    }
    (alone,) = ask("/v1/queues", who="operator", account="other", **window)["queues"]
    assert (alone["account_id"], alone["offered"], alone["ahtMs"]) == ("other", 1, 1)
