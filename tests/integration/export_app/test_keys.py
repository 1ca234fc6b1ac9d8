"""Keys that work only from some networks, and the rate limit."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.context import Services
from export_app.web.rate_limit import ATTEMPTS_PER_MINUTE, RateLimit
from tollbook.store import keys
from tollbook.store.database import Connection

PER_MINUTE = 5


class Clock:
    """A clock that stands still until it is moved, for otherwise a minute may end during a test."""

    def __init__(self) -> None:
        self.now = 1_000_000_010.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(services: Services, clock: Clock) -> FlaskClient:
    """A client of an application behind a proxy, with a low rate limit."""
    proxies = [ip_network("10.0.0.0/8")]
    limited = replace(services, rate_limit=RateLimit(PER_MINUTE, clock), trusted_proxies=proxies)
    return create_app(limited).test_client()


def whoami(
    client: FlaskClient, secret: str | None, peer: str = "192.0.2.7", forwarded: str | None = None
) -> TestResponse:
    headers = {"x-api-key": secret, "X-Forwarded-For": forwarded}
    sent = {name: value for name, value in headers.items() if value is not None}
    return client.get("/v1/whoami", headers=sent, environ_base={"REMOTE_ADDR": peer})


def test_a_key_works_only_from_its_networks(limited: FlaskClient, accounts: Connection) -> None:
    """From elsewhere it is refused with the address that was seen; X-Forwarded-For from a stranger changes nothing."""
    networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    secret = keys.create(accounts, account_id="acme", scopes=["cdr"], networks=networks)[1]
    assert whoami(limited, secret).status_code == 200
    assert whoami(limited, secret, peer="2001:db8::7").status_code == 200
    assert whoami(limited, secret, peer="10.0.0.1", forwarded="192.0.2.9").status_code == 200
    for peer, forwarded in (("198.51.100.1", None), ("198.51.100.1", "192.0.2.7"), ("10.0.0.1", None)):
        answer = whoami(limited, secret, peer=peer, forwarded=forwarded)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "address_not_allowed")
        assert peer in answer.get_json()["message"]
    assert keys.every(accounts)[0].networks == tuple(networks)


def test_a_key_has_so_many_requests_a_minute(limited: FlaskClient, key: str, other_key: str, clock: Clock) -> None:
    """Over its limit a key gets 429 and how long to wait; other keys are not affected."""
    answers = [whoami(limited, key) for _ in range(PER_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [200] * PER_MINUTE + [429]
    last = answers[-1]
    assert last.get_json()["code"] == "too_many_requests"
    wait = int(last.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert last.headers["X-Content-Type-Options"] == "nosniff"
    assert whoami(limited, other_key).status_code == 200
    clock.now += wait
    assert whoami(limited, key).status_code == 200


def test_an_address_has_so_many_attempts_a_minute(limited: FlaskClient, key: str, clock: Clock) -> None:
    """An address without a valid key is limited; a valid key still works from it, because clients may share it."""
    wrong = "sk_" + "A" * 43
    codes = [whoami(limited, wrong if number % 2 else None).status_code for number in range(ATTEMPTS_PER_MINUTE)]
    assert set(codes) == {401}
    answer = whoami(limited, wrong)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_requests")
    assert whoami(limited, key).status_code == 200
    assert whoami(limited, wrong, peer="192.0.2.8").status_code == 401
    # Behind the proxy each client has its own address.
    assert whoami(limited, wrong, peer="10.0.0.1", forwarded="192.0.2.7").status_code == 429
    assert whoami(limited, wrong, peer="10.0.0.1", forwarded="192.0.2.6").status_code == 401
    clock.now += int(answer.headers["Retry-After"])
    assert whoami(limited, wrong).status_code == 401


def test_health_is_not_limited(limited: FlaskClient) -> None:
    """Health checks are not limited: monitoring asks often, and without a key."""
    assert {limited.get("/healthz").status_code for _ in range(2 * ATTEMPTS_PER_MINUTE)} == {200}
