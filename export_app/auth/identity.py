"""The identity behind an API key, and what it may read."""

from dataclasses import dataclass
from typing import Final

from export_app.database import Database
from export_app.web.client_address import Address, is_among
from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.store import keys

CDR: Final = "cdr"
OPERATOR: Final = "operator"

_HOW: Final = "send your API key in the header x-api-key: sk_…"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whoever sent an API key that works. `key_hash` is secret: it signs the cursors of this key."""

    key: keys.ApiKey
    key_hash: bytes

    @property
    def accounts(self) -> Accounts:
        """The accounts whose calls this key may read: every account for an operator's key."""
        if OPERATOR in self.key.scopes:
            return EveryAccount()
        assert self.key.account_id is not None  # the table has a CHECK for it
        return OneAccount(self.key.account_id)

    def require(self, scope: str) -> None:
        """Raise ApiError unless the key has the scope. `operator` includes every scope."""
        if OPERATOR not in self.key.scopes and scope not in self.key.scopes:
            raise ApiError(
                403,
                "missing_scope",
                f"this key lacks the scope {scope}: ask the operator for a key made with --scope {scope}",
            )


def identify(database: Database, secret: str | None, hashed: bytes | None, client: Address | None) -> Identity:
    """Return the identity of the key that a client sent; `hashed`: its hash, None when it has not the form of a key.

    Raises ApiError for a missing, unknown or revoked key, and for one that may not be used from the client's address.
    """
    if not secret:
        raise _unauthorized("missing_key", f"no API key: {_HOW}")
    key = None
    if hashed is not None:
        with database.looking_up() as connection:
            key = keys.find(connection, hashed)
    if hashed is None or key is None:
        raise _unauthorized("unknown_key", f"this API key is unknown or revoked: {_HOW}, or ask for a new one")
    if key.networks is not None and (client is None or not is_among(client, key.networks)):
        raise ApiError(
            403,
            "address_not_allowed",
            f"this key may not be used from {client or 'here'}: call from an address that it allows, or ask the"
            " operator for a key made with --ip for this address",
        )
    return Identity(key=key, key_hash=hashed)


def _unauthorized(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, {"WWW-Authenticate": 'ApiKey realm="tollbook", header="x-api-key"'})
