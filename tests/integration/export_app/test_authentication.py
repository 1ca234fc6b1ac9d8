"""A key opens its own account's calls, with its scope, until it is revoked or its account disabled."""

import pytest

from tests.integration.export_app.api_requests import Get, refused
from tollbook.store import keys
from tollbook.store.database import Connection
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
    refused(get(), 401, "unknown_key")
    assert get(secret=operator).status_code == 200
    set_disabled(accounts, "acme", disabled=False)
    assert get().status_code == 200


def test_a_missing_scope_is_named(accounts: Connection, get: Get) -> None:
    """Without the scope the response is 403 and names it; whoami still answers."""
    secret = keys.create(accounts, account_id="acme", scopes=["stats"])[1]
    assert "scope cdr" in refused(get(secret=secret), 403, "missing_scope")
    assert get(secret=secret, path="/v1/whoami").get_json()["scopes"] == ["stats"]


def test_whoami_shows_whose_key_it_is(get: Get, key: str) -> None:
    """whoami shows the account, the scopes and the beginning of the key, as `tollbook key list` does."""
    answer = get(path="/v1/whoami").get_json()
    assert answer == {"ok": True, "account_id": "acme", "scopes": ["cdr"], "key": key[:8]}
    refused(get("x=1", path="/v1/whoami"), 400, "unknown_parameter")


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
