"""Keys that work only from some networks, and the rate limit."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.app import create_app
from export_app.context import Services
from export_app.known_keys import LIST_EVERY_S
from export_app.web import rate_limit
from export_app.web.errors import ApiError
from export_app.web.rate_limit import ATTEMPTS_PER_MINUTE, RateLimit
from tests.waiting import wait_until
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
    assert whoami(limited, secret, peer="198.51.100.7").status_code == 403
    # What was refused is no use: `key log` must not say that the key was used.
    assert keys.every(accounts)[0].last_used_at is None
    assert accounts.execute("SELECT count(*) FROM key_event WHERE event = 'used'").fetchone() == (0,)
    assert whoami(limited, secret).status_code == 200
    assert keys.every(accounts)[0].last_used_at is not None
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
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [
        f'"key";r={left}' for left in (4, 3, 2, 1, 0, 0)
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {f'"key";q={PER_MINUTE};w=60'}
    last = answers[-1]
    assert last.headers["RateLimit"].endswith(f";t={last.headers['Retry-After']}")
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


def test_what_is_over_a_limit_costs_the_database_nothing(
    limited: FlaskClient, accounts: Connection, key: str, other_key: str, clock: Clock
) -> None:
    """Neither a key over its limit nor an unknown one from an address over its own is looked up."""
    wrong = "sk_" + "A" * 43
    for _ in range(PER_MINUTE):
        assert whoami(limited, key).status_code == 200
    for _ in range(ATTEMPTS_PER_MINUTE):
        assert whoami(limited, wrong).status_code == 401
    assert whoami(limited, wrong).status_code == 429  # the list of keys has been read now
    accounts.execute("ALTER TABLE api_key RENAME TO away")
    for secret in (key, wrong, None, "sk_B"):
        assert whoami(limited, secret).status_code == 429
    assert whoami(limited, other_key).status_code == 503


def test_a_new_key_works_from_an_address_with_too_many_attempts(limited: FlaskClient, accounts: Connection) -> None:
    """Its first use is within a second of when it was made, at the latest; a revoked one is refused as before."""
    wrong = "sk_" + "A" * 43
    for _ in range(ATTEMPTS_PER_MINUTE + 1):
        last = whoami(limited, wrong)
    assert last.status_code == 429
    made, secret = keys.create(accounts, account_id="acme", scopes=["cdr"])
    wait_until(lambda: whoami(limited, secret).status_code == 200, 10 * LIST_EVERY_S)
    keys.revoke(accounts, made.key_id)
    assert whoami(limited, secret).status_code == 401
    assert whoami(limited, secret).status_code == 429


def test_an_ipv6_subscriber_is_one_client(limited: FlaskClient) -> None:
    """Whoever has one IPv6 address has 2**64: they are limited together, and the neighbours are not."""
    for number in range(ATTEMPTS_PER_MINUTE):
        assert whoami(limited, None, peer=f"2001:db8:0:1:{number:x}::1").status_code == 401
    assert whoami(limited, None, peer="2001:db8:0:1:ffff::1").status_code == 429
    assert whoami(limited, None, peer="2001:db8:0:2::1").status_code == 401


def test_the_counts_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past MAX_ADDRESSES in a minute, new addresses share one count; those that have their own keep it."""
    monkeypatch.setattr(rate_limit, "MAX_ADDRESSES", 2)
    limit = RateLimit(PER_MINUTE, clock)
    for number in range(2 + ATTEMPTS_PER_MINUTE):
        limit.count_attempt(ip_address(f"192.0.2.{number}"))
    with pytest.raises(ApiError):
        limit.check_attempts(ip_address("192.0.2.200"))
    limit.check_attempts(ip_address("192.0.2.0"))


@pytest.mark.parametrize(
    ("peer", "scheme", "asked"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "http", False),
        ("10.0.0.1", None, False),
        ("192.0.2.7", "https", False),
    ],
)
def test_https_is_asked_for_only_where_a_trusted_proxy_has_it(
    limited: FlaskClient, peer: str, scheme: str | None, asked: bool
) -> None:
    """Strict-Transport-Security would lock out whoever has no TLS, so a stranger's header is not believed."""
    headers = {} if scheme is None else {"X-Forwarded-Proto": scheme}
    for path in ("/", "/v1/calls", "/nothing"):
        answer = limited.get(path, headers=headers, environ_base={"REMOTE_ADDR": peer}, buffered=True)
        assert ("Strict-Transport-Security" in answer.headers) == asked


def test_health_is_not_limited(limited: FlaskClient) -> None:
    """Health checks are not limited: monitoring asks often, and without a key."""
    assert {limited.get("/healthz").status_code for _ in range(2 * ATTEMPTS_PER_MINUTE)} == {200}
