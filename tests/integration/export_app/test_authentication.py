"""A key opens its own account's calls, with its scope, until it is revoked or its account disabled."""

import datetime as dt
from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient

from tests.integration.export_app.api_requests import Get, refused
from tollbook.errors import UsageError
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.key_log import read_log
from tollbook.store.tariffs.accounts import set_disabled


@pytest.mark.parametrize("secret", [None, ""])
def test_a_key_is_needed(get: Get, secret: str | None) -> None:
    """Without a key the response is 401, and names the header to send it in."""
    answer = get(secret=secret)
    assert "x-api-key" in refused(answer, 401, "missing_key")
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey ")


@pytest.mark.parametrize("secret", ["sk_" + "A" * 43, "sk_short", "Bearer x", "sk_" + "é" * 43])
def test_an_unknown_key_is_refused(get: Get, secret: str) -> None:
    """A key that is unknown, whatever its form, is refused with a message that does not repeat it."""
    assert secret not in refused(get(secret=secret), 401, "unknown_key")


def test_a_revoked_key_is_refused_at_once(accounts: Connection, get: Get, key: str) -> None:
    """A revoked key fails from its next request on."""
    assert get().status_code == 200
    keys.revoke(accounts, keys.every(accounts)[0].key_id)
    refused(get(), 401, "unknown_key")


def test_a_disabled_accounts_keys_are_refused_until_it_is_enabled(accounts: Connection, get: Get, key: str) -> None:
    """A disabled account's key fails from its next request on and works again later; an operator's key always works."""
    operator = keys.create(accounts, account_id=None, scopes=["operator"])[1]
    set_disabled(accounts, "acme", disabled=True)
    assert "account acme is disabled" in refused(get(), 403, "account_disabled")
    assert get(secret=operator).status_code == 200
    set_disabled(accounts, "acme", disabled=False)
    assert get().status_code == 200


def test_an_expired_key_says_so(accounts: Connection, get: Get) -> None:
    """With when it expired, to whoever has it; until then whoami says when that will be."""
    made, secret = keys.create(accounts, account_id="acme", scopes=["cdr"], valid_s=3600)
    assert made.expires_at is not None
    assert get(path="/v1/whoami", secret=secret).get_json()["expires_ts"] == int(made.expires_at.timestamp() * 1000)
    accounts.execute("UPDATE api_key SET expires_at = '2026-01-02 03:04:05Z'")
    assert "expired at 2026-01-02T03:04:05Z" in refused(get(secret=secret), 401, "expired_key")
    refused(get(secret=secret[:-1] + ("A" if secret[-1] != "A" else "B")), 401, "unknown_key")
    keys.revoke(accounts, made.key_id)
    refused(get(secret=secret), 401, "unknown_key")


def test_a_rotated_key_is_valid_beside_the_new_one(accounts: Connection, get: Get) -> None:
    """Both open the same for a while; then the new one alone. The old one's own end is never put off."""
    networks = [ip_network("127.0.0.0/8")]
    made, old = keys.create(
        accounts, account_id="acme", scopes=["cdr", "queues"], networks=networks, valid_s=86400 * 90
    )
    _, new_key, new = keys.rotate(accounts, made.key_id, overlap_s=3600, by_whom="alice@db1")
    for secret in (old, new):
        shown = get(path="/v1/whoami", secret=secret).get_json()
        assert (shown["account_id"], shown["scopes"]) == ("acme", ["cdr", "queues"])
    listed = {key.key_id: key for key in keys.every(accounts)}
    for key_id, hours in ((made.key_id, 1), (new_key.key_id, 90 * 24)):
        expires_at = listed[key_id].expires_at
        assert expires_at is not None
        assert abs((expires_at - dt.datetime.now(dt.UTC)).total_seconds() - hours * 3600) < 600
    assert new_key.networks == tuple(networks)
    with pytest.raises(UsageError, match=f"rotated before .key {new_key.key_id} replaces it"):
        keys.rotate(accounts, made.key_id, overlap_s=0)
    accounts.execute("UPDATE api_key SET expires_at = now() WHERE key_id = %s", (made.key_id,))
    refused(get(secret=old), 401, "expired_key")
    assert get(secret=new).status_code == 200
    with pytest.raises(UsageError, match="is not valid"):
        keys.rotate(accounts, made.key_id, overlap_s=0)
    soon, _ = keys.create(accounts, account_id="acme", scopes=["cdr"], valid_s=60)
    assert keys.rotate(accounts, soon.key_id, overlap_s=86400)[0].expires_at == soon.expires_at


def test_what_happens_to_a_key_is_logged(accounts: Connection, get: Get) -> None:
    """Its creation, rotation and revocation with who did it; its use once a day, however often; a refused use not."""
    made, secret = keys.create(accounts, account_id="acme", scopes=["cdr"], by_whom="alice@db1")
    for days in (2, 1, 0):
        for _ in range(3):
            accounts.execute("UPDATE api_key SET last_used_at = last_used_at - interval '2 minutes'")
            assert get(secret=secret).status_code == 200
        accounts.execute("UPDATE key_event SET happened_at = happened_at - interval '1 day' WHERE event = 'used'")
        accounts.execute("UPDATE api_key SET last_used_at = last_used_at - interval '1 day'")
        assert len([one for one in read_log(accounts, None, days=9, limit=99) if one.event == "used"]) == 3 - days
    _, new, _ = keys.rotate(accounts, made.key_id, overlap_s=60, by_whom="bob@db1")
    for _ in range(2):
        keys.revoke(accounts, made.key_id, by_whom="carol@db1")
    refused(get(secret=secret), 401, "unknown_key")
    logged = [(one.event, one.by_whom, one.note) for one in read_log(accounts, made.key_id, days=9, limit=99)]
    assert logged == [
        ("revoked", "carol@db1", ""), ("rotated", "bob@db1", f"key {new.key_id} replaces it"),
        ("created", "alice@db1", "scopes cdr"), *[("used", None, "")] * 3,
    ]  # fmt: skip
    assert len(read_log(accounts, made.key_id, days=9, limit=2)) == 2
    assert [one.note for one in read_log(accounts, new.key_id, days=9, limit=9)] == [f"replaces key {made.key_id}"]


def test_a_missing_scope_is_named(accounts: Connection, get: Get) -> None:
    """Without the scope the response is 403 and names it; whoami still answers."""
    secret = keys.create(accounts, account_id="acme", scopes=["stats"])[1]
    answer = get(secret=secret)
    assert "scope cdr" in refused(answer, 403, "missing_scope")
    assert 'error="insufficient_scope", scope="cdr"' in answer.headers["WWW-Authenticate"]
    assert get(secret=secret, path="/v1/whoami").get_json()["scopes"] == ["stats"]


def test_whoami_shows_whose_key_it_is(get: Get, key: str) -> None:
    """whoami shows the account, the scopes and the beginning of the key, as `tollbook key list` does."""
    answer = get(path="/v1/whoami").get_json()
    ours = {"ok": True, "account_id": "acme", "scopes": ["cdr"], "key": key[:8], "expires_ts": None}
    assert answer == ours | {"accountId": "acme", "via": "key"}
    refused(get("x=1", path="/v1/whoami"), 400, "unknown_parameter")


def test_a_key_of_every_scope_is_no_operators(accounts: Connection, get: Get) -> None:
    """`*` opens all of its own account, and neither another account nor what only operators may ask for."""
    secret = keys.create(accounts, account_id="acme", scopes=["*"])[1]
    for path in ("/v1/calls", "/v1/stats", "/v1/statements"):
        assert get(secret=secret, path=path).status_code == 200
    for path in ("/v1/doubts", "/v1/unrated"):
        assert "scope operator" in refused(get(secret=secret, path=path), 403, "missing_scope")
    refused(get("group_by=gateway", secret=secret, path="/v1/stats"), 403, "operator_only")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  ", "BEARER "])
def test_a_bearer_token_is_taken_as_the_key_header_is(client: FlaskClient, key: str, scheme: str) -> None:
    """What a client sends as `Authorization: Bearer` is the key; who sends a wrong one is told both ways."""
    answer = client.get("/v1/whoami", headers={"Authorization": scheme + key})
    assert answer.get_json()["account_id"] == "acme"
    wrong = client.get("/v1/whoami", headers={"Authorization": f"{scheme}sk_{'A' * 43}"})
    assert "Authorization: Bearer" in refused(wrong, 401, "unknown_key")
    assert 'Bearer realm="tollbook"' in wrong.headers["WWW-Authenticate"]


def test_two_different_keys_are_refused(client: FlaskClient, key: str, other_key: str) -> None:
    """Neither account is guessed; the same key twice, or the password that a proxy asks for, is no matter."""
    for authorization, status in ((f"Bearer {other_key}", 401), (f"Bearer {key}", 200), ("Basic YTpi", 200)):
        answer = client.get("/v1/whoami", headers={"x-api-key": key, "Authorization": authorization})
        assert answer.status_code == status
    answer = client.get("/v1/whoami", headers={"x-api-key": key, "Authorization": f"Bearer {other_key}"})
    assert key not in refused(answer, 401, "two_keys")


def test_two_different_keys_are_an_attempt(client: FlaskClient, key: str, other_key: str) -> None:
    """Whoever sends them again and again is told to wait, as with a wrong key."""
    headers = {"x-api-key": key, "Authorization": f"Bearer {other_key}"}
    statuses = [client.get("/v1/whoami", headers=headers).status_code for _ in range(31)]
    assert statuses == [401] * 30 + [429]


def test_a_key_in_the_query_is_refused_unread(get: Get, key: str) -> None:
    """A key in the URL works for nobody, because it is in a log somewhere."""
    assert "header x-api-key" in refused(get(f"api_key={key}", secret=None), 400, "key_in_query")
    refused(get(f"x-api-key={key}", path="/healthz"), 400, "key_in_query")


def test_the_last_use_of_a_key_is_stored_once_a_minute(accounts: Connection, get: Get, key: str) -> None:
    """A second request within the minute writes nothing."""
    get()
    first = keys.every(accounts)[0].last_used_at
    assert first is not None
    get()
    assert keys.every(accounts)[0].last_used_at == first
    accounts.execute("UPDATE api_key SET last_used_at = now() - interval '2 minutes'")
    get()
    last = keys.every(accounts)[0].last_used_at
    assert last is not None
    assert last >= first


def test_only_the_hash_of_a_key_is_stored(accounts: Connection, key: str) -> None:
    """No column of the key's row contains the key."""
    (row,) = accounts.execute("SELECT api_key::text FROM api_key").fetchall()
    assert key not in row[0]
    assert key[:12] not in row[0]
