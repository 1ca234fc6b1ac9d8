"""Who asks: the owner of an API key, and what it may see."""

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
    """The caller. `key_hash` is secret: it signs the caller's cursors."""

    key: keys.Key
    key_hash: bytes

    @property
    def accounts(self) -> Accounts:
        """Whose calls the caller may see: an operator's key has every account's."""
        if OPERATOR in self.key.scopes:
            return EveryAccount()
        assert self.key.account_id is not None  # a CHECK of the table
        return OneAccount(self.key.account_id)

    def require(self, scope: str) -> None:
        """Raise ApiError unless the key has the scope; `operator` has them all."""
        if OPERATOR not in self.key.scopes and scope not in self.key.scopes:
            raise ApiError(
                403,
                "missing_scope",
                f"this key lacks the scope {scope}: ask the operator for a key made with --scope {scope}",
            )


def identify(database: Database, secret: str | None, client: Address | None) -> Identity:
    """Find the caller by the key it sent; raises ApiError for a missing, unknown or revoked key.

    And for one that may not be used from the address of this client.
    """
    if not secret:
        raise _unauthorized("missing_key", f"no API key: {_HOW}")
    hashed = keys.key_hash(secret)
    key = None
    if hashed is not None:
        with database.connection() as connection:
            key = keys.find(connection, hashed)
    if hashed is None or key is None:
        raise _unauthorized("unknown_key", f"this API key is unknown or revoked: {_HOW}, or ask for a new one")
    if key.networks is not None and (client is None or not is_among(client, key.networks)):
        raise ApiError(
            403,
            "address_not_allowed",
            f"this key may not be used from {client or 'here'}: call from an address that it was made for, or ask the"
            " operator for a key made with --ip for this one",
        )
    return Identity(key=key, key_hash=hashed)


def _unauthorized(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, {"WWW-Authenticate": 'ApiKey realm="tollbook", header="x-api-key"'})
