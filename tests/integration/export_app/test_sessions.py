"""Sessions: a browser has a cookie in place of a key, which opens what the key opens, while the key does."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.context import Services
from export_app.known_keys import KnownSessions
from export_app.web.rate_limit import ATTEMPTS_PER_MINUTE, RateLimit
from tests.integration.export_app.api_requests import refused
from tests.integration.export_app.conftest import Put
from tollbook.store import keys, sessions
from tollbook.store.database import Connection
from tollbook.store.tariffs.accounts import set_disabled

OWN = {"Sec-Fetch-Site": "same-origin"}
SignIn = Callable[..., FlaskClient]


@pytest.fixture
def sign_in(services: Services) -> SignIn:
    """Return a function that makes a browser, signed in with a key."""
    app = create_app(services)

    def browser(secret: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/v1/session", headers={"x-api-key": secret})
        assert answer.status_code == 201, answer.data
        return client

    return browser


def scopes(client: FlaskClient) -> TestResponse:
    return client.get("/v1/session", headers=OWN)


def test_a_session_opens_what_its_key_opens(sign_in: SignIn, put: Put, key: str, other_key: str) -> None:
    """The same calls, scopes and cursors, and another account's nothing, whatever is named."""
    put("ours")
    browser = sign_in(key)
    assert [row["call_id"] for row in browser.get("/v1/calls").get_json()["rows"]] == ["ours"]
    assert sign_in(other_key).get("/v1/calls").get_json()["rows"] == []
    refused(browser.get("/v1/calls?account=other"), 403, "operator_only")
    refused(browser.get("/v1/numbers"), 403, "missing_scope")
    who = browser.get("/v1/whoami").get_json()
    assert (who["account_id"], who["scopes"], who["via"]) == ("acme", ["cdr"], "session")
    state = scopes(browser).get_json()
    assert (state["signed_in"], state["account_id"], state["key"]) == (True, "acme", key[:8])


def test_the_cookie_is_no_scripts_and_no_other_sites(services: Services, key: str) -> None:
    """HttpOnly and SameSite=Strict; where the browser speaks https Secure, the host's alone. Tokens are hashed."""
    client = create_app(replace(services, trusted_proxies=[ip_network("10.0.0.0/8")])).test_client()
    plain = client.post("/v1/session", headers={"x-api-key": key}).headers["Set-Cookie"]
    name, _, rest = plain.partition("=")
    token, *attributes = rest.split("; ")
    assert (name, set(attributes)) == ("tollbook_session", {"HttpOnly", "Path=/", "SameSite=Strict"})
    secure = client.post(
        "/v1/session",
        headers={"x-api-key": key, "X-Forwarded-Proto": "https"},
        environ_base={"REMOTE_ADDR": "10.0.0.1"},
    ).headers["Set-Cookie"]
    assert secure.startswith("__Host-tollbook_session=")
    assert "Secure" in secure.split("; ")
    told = create_app(replace(services, api_url="https://localhost")).test_client()
    assert "Secure" in told.post("/v1/session", headers={"x-api-key": key}).headers["Set-Cookie"]
    with services.database.looking_up() as connection:
        stored = connection.execute("SELECT api_session::text FROM api_session").fetchall()
    assert len(stored) == 3
    assert token not in str(stored)


@pytest.mark.parametrize("path", ["/v1/session", "/v1/sessions"])
def test_another_page_cannot_use_the_cookie(sign_in: SignIn, key: str, path: str) -> None:
    """Neither change anything, nor read: with the cookie a request must be our own page's."""
    browser = sign_in(key)
    for headers in ({}, {"Origin": "http://localhost:8081"}, {"Sec-Fetch-Site": "same-site"}):
        refused(browser.delete(path, headers=headers), 403, "cross_site")
    refused(browser.get("/v1/calls", headers={"Sec-Fetch-Site": "cross-site"}), 403, "cross_site")
    assert browser.get("/v1/calls", headers=OWN).status_code == 200
    assert browser.delete(path, headers={"Origin": "http://localhost"}).status_code == 200


def test_signing_out_ends_one_session_and_everywhere_all(sign_in: SignIn, key: str, other_key: str) -> None:
    """At once, on the server: a copy of the cookie opens nothing. Other keys' sessions go on."""
    one, two, other = sign_in(key), sign_in(key), sign_in(other_key)
    copied = one.get_cookie("tollbook_session")
    assert copied is not None
    assert one.delete("/v1/session", headers=OWN).get_json() == {"ok": True, "ended": 1}
    assert one.get_cookie("tollbook_session") is None
    one.set_cookie("tollbook_session", copied.value)
    answer = one.get("/v1/calls")
    refused(answer, 401, "session_ended")
    assert answer.headers["Set-Cookie"].startswith("tollbook_session=;")
    three = sign_in(key)
    assert two.delete("/v1/sessions", headers=OWN).get_json() == {"ok": True, "ended": 2}
    for ended in (two, three):
        assert scopes(ended).get_json()["signed_in"] is False
    assert other.get("/v1/calls").status_code == 200
    refused(other.delete("/v1/session", headers={"x-api-key": key}), 409, "no_session")


def test_who_may_not_come_in_can_sign_out(accounts: Connection, sign_in: SignIn, key: str) -> None:
    """The session of a disabled account ends, and the cookie goes; another page ends none."""
    browser = sign_in(key)
    set_disabled(accounts, "acme", disabled=True)
    refused(browser.delete("/v1/session", headers={"Sec-Fetch-Site": "same-site"}), 403, "cross_site")
    assert browser.delete("/v1/session", headers=OWN).get_json() == {"ok": True, "ended": 1}
    assert browser.get_cookie("tollbook_session") is None
    assert accounts.execute("SELECT count(*) FROM api_session").fetchone() == (0,)


def test_a_session_ends_with_its_key_and_its_time(accounts: Connection, sign_in: SignIn, key: str) -> None:
    """A key that expires or is revoked, or whose account is disabled, opens nothing by cookie any more."""
    browser = sign_in(key)
    set_disabled(accounts, "acme", disabled=True)
    refused(browser.get("/v1/calls"), 403, "account_disabled")
    set_disabled(accounts, "acme", disabled=False)
    assert browser.get("/v1/calls").status_code == 200
    accounts.execute("UPDATE api_key SET expires_at = now()")
    refused(browser.get("/v1/calls"), 401, "expired_key")
    accounts.execute("UPDATE api_key SET expires_at = NULL")
    browser = sign_in(key)
    accounts.execute("UPDATE api_session SET expires_at = now()")
    refused(browser.get("/v1/calls"), 401, "session_ended")
    browser = sign_in(key)
    keys.revoke(accounts, keys.every(accounts)[0].key_id)
    refused(browser.get("/v1/calls"), 401, "session_ended")


def test_others_of_an_address_do_not_end_a_session(services: Services, key: str, sign_in: SignIn) -> None:
    """Many failed attempts of one, and a process that knows no session yet: a valid one works all the same."""
    cookie = sign_in(key).get_cookie("tollbook_session")
    assert cookie is not None
    started_anew = create_app(replace(services, known_sessions=KnownSessions()))
    stray, mine = started_anew.test_client(), started_anew.test_client()
    stray.set_cookie("tollbook_session", f"ts_{'x' * 43}")
    codes = [stray.get("/v1/calls").status_code for _ in range(ATTEMPTS_PER_MINUTE + 1)]
    assert (codes[0], codes[-1]) == (401, 429)
    mine.set_cookie("tollbook_session", cookie.value)
    assert mine.get("/v1/calls").status_code == 200


def test_a_session_has_the_limits_of_its_key(services: Services, accounts: Connection, key: str) -> None:
    """The requests of a key and of its sessions count together, and it works from the key's networks alone."""
    limited = create_app(replace(services, rate_limit=RateLimit(4, lambda: 1_000_000_010.0)))
    one, two = limited.test_client(), limited.test_client()
    for client in (one, two):
        assert client.post("/v1/session", headers={"x-api-key": key}).status_code == 201
    assert one.get("/v1/calls").headers["RateLimit"].startswith('"key";r=1;')
    assert two.get("/v1/calls").status_code == 200
    for client in (one, two):
        refused(client.get("/v1/calls"), 429, "too_many_requests")
    refused(one.get("/v1/session"), 429, "too_many_requests")
    accounts.execute("UPDATE api_key SET networks = '{192.0.2.0/24}'")
    elsewhere = create_app(services).test_client()
    cookie = one.get_cookie("tollbook_session")
    assert cookie is not None
    elsewhere.set_cookie("tollbook_session", cookie.value)
    refused(elsewhere.get("/v1/calls"), 403, "address_not_allowed")


def test_a_wrong_cookie_is_an_attempt(services: Services) -> None:
    """Tokens can be tried no more often than keys; asking without one is no attempt."""
    app = create_app(replace(services, rate_limit=RateLimit(4, lambda: 1_000_000_010.0)))
    for number in range(35):
        assert app.test_client().get("/v1/session").get_json()["signed_in"] is False
        thief = app.test_client()
        thief.set_cookie("tollbook_session", f"ts_{number:043}" if number % 2 else "x")
        answer = thief.get("/v1/calls")
        refused(answer, *((401, "session_ended") if number < 30 else (429, "too_many_requests")))


def test_a_key_has_so_many_sessions(accounts: Connection, sign_in: SignIn, key: str, other_key: str) -> None:
    """One more ends the oldest; those that have ended are swept away, whose ever they are."""
    oldest, other = sign_in(key), sign_in(other_key)
    (key_id, other_id) = (made.key_id for made in keys.every(accounts))
    for _ in range(sessions.MAX_SESSIONS - 1):
        sessions.start(accounts, key_id, valid_s=60)
    assert oldest.get("/v1/calls").status_code == 200
    accounts.execute("UPDATE api_session SET expires_at = now() WHERE key_id = %s", (other_id,))
    newest = sign_in(key)
    refused(oldest.get("/v1/calls"), 401, "session_ended")
    assert newest.get("/v1/calls").status_code == 200
    assert other.get("/v1/calls").status_code == 401
    assert accounts.execute("SELECT key_id, count(*) FROM api_session GROUP BY 1").fetchall() == [(key_id, 50)]


def test_a_session_starts_no_other(sign_in: SignIn, key: str) -> None:
    """It would outlive its own end."""
    refused(sign_in(key).post("/v1/session", headers=OWN), 409, "no_key")
