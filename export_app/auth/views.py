"""`/v1/whoami`: whose key this is."""

from typing import Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from export_app.auth.request import SECURITY, caller, identify_caller
from export_app.web.openapi import get
from export_app.web.parameters import NoQuery
from export_app.web.responses import as_json
from export_app.web.schema import Answer, Failure


class Who(Answer):
    """Whose key it is."""

    ok: Literal[True]
    account_id: str | None = Field(description="Null: every account (operator).")
    scopes: list[str]
    key: str = Field(description="How the key begins.")


whoami = APIBlueprint(
    "whoami",
    __name__,
    url_prefix="/v1",
    abp_security=SECURITY,
    abp_responses={400: Failure, 401: Failure, 429: Failure, 503: Failure},
)
whoami.before_request(identify_caller)


@get(whoami, "/whoami", summary="Tell whose key this is", operation_id="whoAmI", responses={200: Who})
def who(query: NoQuery) -> Response:
    """The account and the scopes of the key; any key may ask."""
    del query
    key = caller().key
    return as_json({"ok": True, "account_id": key.account_id, "scopes": key.scopes, "key": key.hint})
