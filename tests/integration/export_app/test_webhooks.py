"""`/v1/webhooks`: an account makes, sees, tests and deletes its own endpoints, and no other's."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from tests.endpoints import add_endpoint, waiting
from tests.integration.export_app.api_requests import refused
from tests.integration.export_app.conftest import Put
from tollbook.config import Settings
from tollbook.model.accounts import OneAccount
from tollbook.store import keys, row_security
from tollbook.store.database import Connection, connect
from tollbook.store.events import webhooks as store
from tollbook.store.events.webhooks import MAX_ENDPOINTS

URL = "https://example.com/hooks/calls"


class Api:
    """Requests with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self._client = client
        self._key = key

    def __call__(self, method: str, path: str = "/v1/webhooks", **body: Any) -> TestResponse:
        sent = {"json": body} if body else {}
        return self._client.open(path, method=method, headers={"x-api-key": self._key}, **sent)

    def made(self, **body: Any) -> dict[str, Any]:
        answer = self("POST", **{"url": URL} | body)
        assert answer.status_code == 201, answer.data
        return json.loads(answer.data)

    def listed(self) -> list[dict[str, Any]]:
        answer = json.loads(self("GET").data)
        assert answer["count"] == len(answer["webhooks"])
        return answer["webhooks"]


def api_of(client: FlaskClient, accounts: Connection, account_id: str | None, scope: str = "webhooks") -> Api:
    return Api(client, keys.create(accounts, account_id=account_id, scopes=[scope])[1])


@pytest.fixture
def acme(client: FlaskClient, accounts: Connection) -> Api:
    """Requests of the account acme."""
    return api_of(client, accounts, "acme")


@pytest.fixture
def other(client: FlaskClient, accounts: Connection) -> Api:
    """Requests of the account other."""
    return api_of(client, accounts, "other")


@pytest.fixture
def operator(client: FlaskClient, accounts: Connection) -> Api:
    """Requests of an operator."""
    return api_of(client, accounts, None, "operator")


def test_the_secret_is_shown_once(acme: Api, accounts: Connection) -> None:
    """A made one, in the form of Standard Webhooks; what lists the endpoint has none."""
    made = acme.made()
    assert made["secret"] == made["standard_secret"]
    assert made["secret"].startswith("whsec_")
    (listed,) = acme.listed()
    assert listed == {name: made[name] for name in listed}
    assert not {"secret", "standard_secret"} & set(listed)
    assert (listed["events"], listed["active"], listed["waiting"]) == ("*", True, 0)
    assert made["secret"] not in acme("GET").get_data(as_text=True)


def test_the_documented_lines_of_sipio_work(acme: Api) -> None:
    """Its request, with its secret; its deletion by an id in the body; its test of all."""
    made = acme.made(events="call.started,call.ended", secret="optional")
    assert (made["secret"], made["events"]) == ("optional", "call.started,call.ended")
    tested = json.loads(acme("POST", "/v1/webhooks/test").data)
    assert (tested["ok"], tested["sent"]) == (True, 1)
    assert json.loads(acme("DELETE", id=made["id"]).data) == {"ok": True, "id": made["id"]}
    assert acme.listed() == []


def test_what_happens_waits_for_a_new_endpoint(acme: Api, put: Put, accounts: Connection) -> None:
    made = acme.made(events=["call.ended"])
    put("a")
    assert waiting(accounts, int(made["id"][3:])) == ["call.ended"]
    assert acme.listed()[0]["waiting"] == 1


def test_a_test_waits_for_that_endpoint_alone(acme: Api, accounts: Connection) -> None:
    first, second = acme.made(events="call.ended"), acme.made()
    tested = json.loads(acme("POST", f"/v1/webhooks/{first['id']}/test").data)
    assert (tested["sent"], len(tested["event_ids"])) == (1, 1)
    found = [waiting(accounts, int(made["id"][3:])) for made in (first, second)]
    assert found == [["test"], []]


def test_an_endpoint_has_one_test_that_waits(acme: Api, accounts: Connection) -> None:
    """So that nobody fills the tables; one that is off has none."""
    off, failing, works = (acme.made()["id"] for _ in range(3))
    accounts.execute("UPDATE webhook SET disabled_at = now(), disabled_why = 'x' WHERE webhook_id = %s", (off[3:],))
    for expected in (2, 0):
        assert json.loads(acme("POST", "/v1/webhooks/test").data)["sent"] == expected
    assert "off: x" in refused(acme("POST", f"/v1/webhooks/{off}/test"), 409, "webhook_off")
    assert failing in refused(acme("POST", f"/v1/webhooks/{failing}/test"), 409, "test_waits")
    accounts.execute("DELETE FROM event_delivery WHERE webhook_id = %s", (works[3:],))  # as it is delivered
    assert acme("POST", f"/v1/webhooks/{works}/test").status_code == 200
    assert accounts.execute("SELECT count(*) FROM event_delivery").fetchone() == (2,)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"url": "http://example.com/"}, "https"), ({"url": "https://127.0.0.1/"}, "public address"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "public address"),
        ({"url": "https://user:pw@example.com/"}, "password"),
        ({"url": URL, "events": "call.begun"}, "call.begun"), ({"url": URL, "secret": "short"}, "8 to 200"),
        ({"url": URL, "secret": ""}, "8 to 200"),
        ({"url": URL, "colour": "red"}, "colour"), ({"url": ""}, "url"), ({"url": 7}, "url"), ({"events": "*"}, "url"),
    ],
)  # fmt: skip
def test_what_may_not_be_an_endpoint_is_refused_with_the_reason(acme: Api, body: dict[str, Any], says: str) -> None:
    assert says in refused(acme("POST", **body), 400, "bad_parameter")
    assert acme.listed() == []


@pytest.mark.parametrize("number", [True, 1.0])
def test_an_endpoint_is_named_by_a_text_or_a_whole_number(acme: Api, accounts: Connection, number: object) -> None:
    """`true` is not the first one."""
    accounts.execute("ALTER SEQUENCE webhook_webhook_id_seq RESTART")
    made = acme.made()
    assert made["id"] == "wh_1"
    assert "id" in refused(acme("DELETE", id=number), 400, "bad_parameter")
    assert json.loads(acme("DELETE", id=1).data)["id"] == "wh_1"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"\xff", b"null"])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, accounts: Connection, data: bytes) -> None:
    key = keys.create(accounts, account_id="acme", scopes=["webhooks"])[1]
    for method in ("POST", "DELETE"):
        answer = client.open(
            "/v1/webhooks", method=method, data=data, content_type="application/json", headers={"x-api-key": key}
        )
        assert answer.status_code in (400, 415), answer.data
        assert json.loads(answer.data)["ok"] is False


def test_no_account_sees_tests_or_deletes_another_s(acme: Api, other: Api, accounts: Connection) -> None:
    """By whatever way; and it learns nothing of whether there is one."""
    made = acme.made()
    assert other.listed() == []
    for answer in (
        other("DELETE", id=made["id"]), other("DELETE", f"/v1/webhooks/{made['id']}"),
        other("POST", f"/v1/webhooks/{made['id']}/test"), other("DELETE", id="wh_999"),
    ):  # fmt: skip
        refused(answer, 404, "no_webhook")
    assert json.loads(other("POST", "/v1/webhooks/test").data)["sent"] == 0
    assert [one["id"] for one in acme.listed()] == [made["id"]]
    assert waiting(accounts, int(made["id"][3:])) == []


def test_an_operator_has_endpoints_of_its_own(acme: Api, operator: Api, put: Put, accounts: Connection) -> None:
    """For the calls of all; those of accounts are not the API's business, but the command's."""
    theirs, ours = acme.made(), operator.made(events="call.ended")
    assert ours["account_id"] is None
    accounts.execute(  # older than the operators', and more than anybody lists
        "INSERT INTO webhook (webhook_id, account_id, url, created_by) OVERRIDING SYSTEM VALUE"
        " SELECT -number, 'acme', 'https://example.com/', 'test' FROM generate_series(1, 1001) AS number"
    )
    assert [one["id"] for one in operator.listed()] == [ours["id"]]
    assert json.loads(operator("POST", "/v1/webhooks/test").data)["sent"] == 1
    accounts.execute("DELETE FROM event_delivery")
    put("a", account_id="other")
    put("b", account_id=None)
    assert waiting(accounts, int(ours["id"][3:])) == ["call.ended", "call.ended"]
    refused(operator("DELETE", id=theirs["id"]), 404, "no_webhook")


def test_it_takes_the_scope(client: FlaskClient, accounts: Connection) -> None:
    api = api_of(client, accounts, "acme", "cdr")
    for method, path in (("GET", "/v1/webhooks"), ("POST", "/v1/webhooks/test"), ("DELETE", "/v1/webhooks/wh_1")):
        assert "webhooks" in refused(api(method, path), 403, "missing_scope")


def test_endpoints_are_few(acme: Api, other: Api) -> None:
    made = [acme.made() for _ in range(MAX_ENDPOINTS)]
    refused(acme("POST", url=URL), 409, "too_many_webhooks")
    other.made()
    acme("DELETE", id=made[0]["id"])
    acme.made()


def test_endpoints_are_few_also_when_many_are_made_at_once(database_url: str, accounts: Connection) -> None:
    barrier = threading.Barrier(4)

    def make(number: int) -> bool:
        with connect(database_url, name="test", autocommit=True) as connection:
            barrier.wait(10)
            with row_security.writing(connection, OneAccount("acme")):
                made = store.create(
                    connection, account_id="acme", url=f"{URL}/{number}", events=None, secret="", created_by="test"
                )
                time.sleep(0.1)  # in which the others come
        return made is not None

    for _ in range(MAX_ENDPOINTS - 1):
        add_endpoint(accounts)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, range(4))) == [False, False, False, True]


def test_where_private_addresses_are_allowed_they_can_be_endpoints(
    database_url: str, tmp_path: Path, accounts: Connection
) -> None:
    from export_app.app import create_app
    from export_app.context import Services

    settings = Settings(
        database_url=SecretStr(database_url),
        data_dir=tmp_path,
        webhook_private="127.0.0.0/8",  # pyright: ignore
    )
    services = Services.from_settings(settings)
    services.open()
    api_of(create_app(services).test_client(), accounts, "acme").made(url="http://127.0.0.1:9/")
    services.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT secret FROM webhook", "SELECT record FROM call_event", "SELECT call_id FROM call_event",
        "UPDATE webhook SET account_id = 'acme'", "UPDATE webhook SET url = 'https://evil'", "DELETE FROM webhook",
        "DELETE FROM call_event", "DELETE FROM event_delivery", "UPDATE event_delivery SET due_at = now()",
        "INSERT INTO call_event (event, account_id, call_id) VALUES ('call.ended', 'other', 'a')",
    ],
)  # fmt: skip
def test_the_api_s_role_has_no_right_to(accounts: Connection, sql: str) -> None:
    """Read a secret or an event, change or remove anything but that an endpoint is deleted."""
    with pytest.raises(Exception, match="permission denied"), row_security.writing(accounts, OneAccount("other")):
        accounts.execute(sql)  # pyright: ignore


def test_postgresql_keeps_accounts_apart(accounts: Connection, put: Put) -> None:
    """Also where a query names another account: the policies apply to reading and writing."""
    theirs = add_endpoint(accounts, "acme")
    put("a")
    with row_security.writing(accounts, OneAccount("other")):
        for table in ("webhook", "event_delivery"):
            assert accounts.execute(f"SELECT webhook_id FROM {table}").fetchall() == []  # pyright: ignore
        assert accounts.execute("SELECT seq FROM call_event").fetchall() == []
        assert accounts.execute("UPDATE webhook SET deleted_at = now()").rowcount == 0
    for sql in (
        "INSERT INTO webhook (account_id, url, secret, created_by) VALUES ('acme', 'https://evil', '', '')",
        "INSERT INTO webhook (account_id, url, secret, created_by) VALUES (NULL, 'https://evil', '', '')",
        "INSERT INTO call_event (event, account_id) VALUES ('test', 'acme')",
        f"INSERT INTO event_delivery (webhook_id, seq, call_no) VALUES ({theirs}, 99, 1)",
    ):
        with (
            pytest.raises(Exception, match="row-level security"),
            row_security.writing(accounts, OneAccount("other")),
        ):
            accounts.execute(sql)  # pyright: ignore
