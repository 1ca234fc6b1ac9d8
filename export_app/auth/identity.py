"""The identity behind an API key, and what it may read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from export_app.database import Database
from export_app.web.client_address import Address, is_among
from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.details import CARRIER_COLUMNS
from tollbook.model.scopes import OPERATOR, grants
from tollbook.store import keys

_HOW: Final = "send your API key in the header x-api-key: sk_…, or as Authorization: Bearer sk_…"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whoever sent an API key that works. `key_hash` is secret: it signs the cursors of this key.

    `sees_carriers`: may learn who the operator's carriers are, as operators may. `session`: the hash of the token that
    was sent in place of the key.
    """

    key: keys.ApiKey
    key_hash: bytes
    sees_carriers: bool = False
    session: bytes | None = None

    @property
    def accounts(self) -> Accounts:
        """The accounts whose calls this key may read: every account for an operator's key."""
        if self.is_operator:
            return EveryAccount()
        assert self.key.account_id is not None  # the table has a CHECK for it
        return OneAccount(self.key.account_id, hides_carriers=not self.sees_carriers)

    def accounts_of(self, account_id: str | None) -> Accounts:
        """Return whose calls are read: the key's (None), or those of the account that an operator names.

        Raises ApiError for the key of an account that names one.
        """
        if account_id is None:
            return self.accounts
        if not self.is_operator:
            raise ApiError(403, "operator_only", "account is for an operator's key: leave it out to read your own")
        return OneAccount(account_id, for_operator=True)

    def one_account(self, account_id: str | None) -> OneAccount:
        """Return the account that is read, as `accounts_of` does; raises ApiError where that is every account, too."""
        accounts = self.accounts_of(account_id)
        if not isinstance(accounts, OneAccount):
            raise ApiError(400, "bad_parameter", "account must name whose it is: an operator's key has no account")
        return accounts

    @property
    def shown_key(self) -> str:
        """The key's number and first characters, for logs and for what says who did something."""
        return f"key {self.key.key_id} ({self.key.hint}…)"

    @property
    def is_operator(self) -> bool:
        """Whether this is an operator's key."""
        return OPERATOR in self.key.scopes

    def require_visible(self, columns: Iterable[str]) -> None:
        """Raise ApiError for a column that says who the carriers are, unless they may be known."""
        for name in columns:
            if name in CARRIER_COLUMNS and not self.sees_carriers:
                raise ApiError(
                    403,
                    "operator_only",
                    f"{name} says who the operator's carriers are, and only an operator's key may ask for it: leave it"
                    " out, or ask the operator (TOLLBOOK_TENANTS_SEE_CARRIERS=1 opens it to every account)",
                )

    def require(self, scope: str) -> None:
        """Raise ApiError unless the key has the scope (`tollbook.model.scopes`), or one that includes it."""
        if not grants(self.key.scopes, scope):
            option = "--operator" if scope == OPERATOR else f"--scope {scope}"
            raise ApiError(
                403,
                "missing_scope",
                f"this key lacks the scope {scope}: ask the operator for a key made with {option}",
                {"WWW-Authenticate": f'Bearer realm="tollbook", error="insufficient_scope", scope="{scope}"'},
            )


def identify(
    database: Database,
    secret: str | None,
    hashed: bytes | None,
    client: Address | None,
    *,
    tenants_see_carriers: bool = False,
) -> Identity:
    """Return the identity of the key that a client sent; `hashed`: its hash, None when it has not the form of a key.

    `tenants_see_carriers`: whether keys of accounts may learn who the carriers are. Raises ApiError for a missing,
    unknown, revoked or expired key, for one of a disabled account, and for one that may not be used from the client's
    address.
    """
    if not secret:
        raise unauthorized("missing_key", f"no API key: {_HOW}")
    unknown = unauthorized("unknown_key", f"this API key is unknown or revoked: {_HOW}, or ask for a new one")
    if hashed is None:
        raise unknown
    with database.looking_up() as connection:
        key = keys.find(connection, hashed)
        if key is None:
            raise unknown
        found = _identity(key, hashed, client, tenants_see_carriers=tenants_see_carriers)
        keys.note_use(connection, key)
    return found


def identify_session(
    database: Database, token_hash: bytes, client: Address | None, *, tenants_see_carriers: bool = False
) -> Identity:
    """Return the identity of the key of a session, which opens what the key does; raises ApiError as `identify`."""
    with database.looking_up() as connection:
        of_session = keys.find_by_session(connection, token_hash)
        if of_session is None:
            raise session_ended()
        key, key_hash = of_session
        found = _identity(key, key_hash, client, tenants_see_carriers=tenants_see_carriers, session=token_hash)
        keys.note_use(connection, key)
    return found


def _identity(
    key: keys.ApiKey,
    key_hash: bytes,
    client: Address | None,
    *,
    tenants_see_carriers: bool,
    session: bytes | None = None,
) -> Identity:
    _check_state(key)
    if key.networks is not None and (client is None or not is_among(client, key.networks)):
        raise ApiError(
            403,
            "address_not_allowed",
            f"this key may not be used from {client or 'here'}: call from an address that it allows, or ask the"
            " operator for a key made with --ip for this address",
        )
    sees_carriers = tenants_see_carriers or OPERATOR in key.scopes
    return Identity(key=key, key_hash=key_hash, sees_carriers=sees_carriers, session=session)


def _check_state(key: keys.ApiKey) -> None:
    """Raise ApiError for a key that opens nothing now. It says why to whoever has the key, and to nobody else."""
    if key.state == "expired":
        raise unauthorized(
            "expired_key",
            f"this API key expired at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}: ask the operator for a new one, which"
            " `tollbook key rotate` makes in time",
        )
    if key.state == "account_disabled":
        raise ApiError(
            403,
            "account_disabled",
            f"the account {key.account_id} is disabled, and its keys with it: ask the operator to enable it",
        )


def unauthorized(code: str, message: str) -> ApiError:
    """Return the error of a request that does not say whose it is."""
    challenge = 'ApiKey realm="tollbook", header="x-api-key", Bearer realm="tollbook"'
    return ApiError(401, code, message, {"WWW-Authenticate": challenge})


def session_ended() -> ApiError:
    """Return the error of a request with the cookie of a session that is over."""
    return unauthorized("session_ended", "this session is over, or its key was revoked: sign in again with an API key")
