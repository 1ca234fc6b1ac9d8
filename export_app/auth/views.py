"""`/v1/whoami`: the account and scopes of a key."""

from typing import Literal

from flask import Response
from pydantic import Field

from export_app.auth.request import current_identity, key_blueprint
from export_app.web.openapi import get
from export_app.web.parameters import NoQuery
from export_app.web.responses import as_json
from export_app.web.schema import ResponseModel


class WhoAmI(ResponseModel):
    """The account and scopes of the key."""

    ok: Literal[True]
    account_id: str | None = Field(description="Null: every account (operator).")
    scopes: list[str]
    key: str = Field(description="The first characters of the key.")
    expires_ts: int | None = Field(description="When the key expires, epoch ms; null: never.")
    accountId: str | None = Field(description="As account_id, by the name that sip.io has for it.")
    via: Literal["key", "session"] = Field(description="Whether the request had the API key, or a session of it.")


whoami = key_blueprint("whoami")


@get(whoami, "/whoami", summary="Show whose key this is", operation_id="whoAmI", responses={200: WhoAmI})
def who_am_i(query: NoQuery) -> Response:
    """Return the account and the scopes of the key. Any key may ask."""
    del query
    identity = current_identity()
    key = identity.key
    expires_ts = None if key.expires_at is None else int(key.expires_at.timestamp() * 1000)
    ours = {"account_id": key.account_id, "scopes": key.scopes, "key": key.hint, "expires_ts": expires_ts}
    return as_json({"ok": True, **ours, "accountId": key.account_id, "via": "session" if identity.session else "key"})
