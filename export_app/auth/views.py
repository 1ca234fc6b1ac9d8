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


whoami = key_blueprint("whoami")


@get(whoami, "/whoami", summary="Show whose key this is", operation_id="whoAmI", responses={200: WhoAmI})
def who_am_i(query: NoQuery) -> Response:
    """Return the account and the scopes of the key. Any key may ask."""
    del query
    key = current_identity().key
    return as_json({"ok": True, "account_id": key.account_id, "scopes": key.scopes, "key": key.hint})
