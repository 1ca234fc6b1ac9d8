"""Every error is JSON that says what to do, and shows nothing of the inside."""

import time

import pytest
from flask.testing import FlaskClient
from psycopg import sql

from tests.integration.export_app.api_requests import Get, refused
from tollbook.archive.engine.question import too_large
from tollbook.errors import EngineBusy, EngineUnavailable, TollbookError
from tollbook.store.calls import pages
from tollbook.store.database import Connection, connect


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_parameter"),
        ("since=-1", "bad_parameter"),
        ("since=2&until=1", "bad_parameter"),
        ("since=yesterday", "bad_parameter"),
        ("format=xml", "bad_parameter"),
        ("tenant=other", "unknown_parameter"),
        ("limit=1&limit=1", "repeated_parameter"),
    ],
)
def test_wrong_parameters_are_refused(get: Get, query: str, code: str) -> None:
    """A wrong parameter is refused by the running application; the unit tests have the table of all cases."""
    assert refused(get(query), 400, code)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/problem+json", True),
        ("application/problem+json, application/json", True),
        ("application/json, application/problem+json;q=0.5", False),
        ("application/problem+json;q=0", False),
        ("*/*", False),
        ("application/*", False),
        ("text/csv", False),
    ],
)
def test_errors_are_problems_for_who_asks_for_them(client: FlaskClient, accept: str, wanted: bool) -> None:
    """By RFC 9457, where a client names that form; the members that every error has are in it, too."""
    for path, status, code in (("/v1/calls", 401, "missing_key"), ("/v1/nothing", 404, "not_found")):
        answer = client.get(path, headers={"Accept": accept})
        assert "Accept" in answer.vary
        if not wanted:
            refused(answer, status, code)
            continue
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        body = answer.get_json()
        assert (body["type"], body["status"]) == (f"urn:tollbook:problem:{code}", status)
        assert body["title"] == {401: "Unauthorized", 404: "Not Found"}[status]
        assert (body["ok"], body["code"], body["detail"]) == (False, code, body["message"])


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


@pytest.mark.parametrize(
    ("error", "status", "code", "shown"),
    [
        (too_large("takes longer than 20 seconds"), 422, "question_too_large", "takes longer than 20 seconds"),
        (EngineBusy("secret"), 429, "too_many_at_once", "try again"),
        (EngineUnavailable("sc://secret:15002"), 503, "engine_unavailable", "TOLLBOOK_ENGINE"),
    ],
)
def test_an_engine_that_does_not_answer_is_named(
    get: Get, monkeypatch: pytest.MonkeyPatch, error: TollbookError, status: int, code: str, shown: str
) -> None:
    """A question is refused with what to ask instead; what passes, with when to try again."""

    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(pages, "read_page", fail)
    answer = get()
    message = refused(answer, status, code)
    assert shown in message
    assert "secret" not in message
    assert ("Retry-After" in answer.headers) == (status != 422)


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
