"""`/v1/account` and `/v1/numbers`."""

from typing import Final

from flask import Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from export_app.account.schema import AccountAnswer, NumberList
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.web.errors import ApiError
from export_app.web.openapi import get
from export_app.web.parameters import MAX_LIMIT, Limit, OfAccount, Text
from export_app.web.responses import as_json
from tollbook.model.numbering import is_international
from tollbook.model.scopes import NUMBERS
from tollbook.store.tariffs.account_profile import read_numbers, read_profile

DEFAULT_NUMBERS: Final = 1000

account = key_blueprint("account", errors=(404,))


class NumbersQuery(OfAccount):
    """What `GET /v1/numbers` can be asked for."""

    limit: Limit | SkipJsonSchema[None] = Field(
        default=None,
        description=f"Numbers in a page at most; left out: {DEFAULT_NUMBERS}; more than {MAX_LIMIT} counts as"
        f" {MAX_LIMIT}.",
    )
    cursor: Text | SkipJsonSchema[None] = Field(default=None, description="The `next_cursor` of the page before.")


@get(account, "/account", summary="Show the account", operation_id="readAccount", responses={200: AccountAnswer})
def read_account(query: OfAccount) -> Response:
    """The key's account: its name, its status, its time zone and how it dials. Any key may ask."""
    wanted = current_identity().one_account(query.account)
    here = services()
    with here.database.reading(wanted) as connection:
        found = read_profile(connection, wanted)
    if found is None:
        raise ApiError(404, "unknown_account", "there is no such account: `tollbook account list` has them all")
    return as_json(
        {
            "ok": True,
            "account_id": found.account_id,
            "name": found.name,
            "status": "disabled" if found.disabled else "active",
            "timezone": found.zone or here.statements.zone,
            "numbering": found.numbering_id,
            "created_ts": found.created_ts,
            "accountId": found.account_id,
        }
    )


@get(account, "/numbers", summary="List numbers", operation_id="listNumbers", responses={200: NumberList})
def list_numbers(query: NumbersQuery) -> Response:
    """The numbers that the key's account owns: calls to them are its own."""
    identity = current_identity()
    identity.require(NUMBERS)
    accounts, limit = identity.accounts_of(query.account), query.limit or DEFAULT_NUMBERS
    with services().database.reading(accounts) as connection:
        # One more says whether there is a next page. The account is the key's, whatever the cursor says.
        found = read_numbers(connection, accounts, after=query.cursor or "", limit=limit + 1)
    listed = [
        {
            "number": owned.number,
            "e164": owned.number if is_international(owned.number) else None,
            "account_id": owned.account_id,
            "status": "active",
        }
        for owned in found[:limit]
    ]
    answer: dict[str, object] = {"ok": True, "count": len(listed), "numbers": listed}
    if len(found) > limit:
        answer["next_cursor"] = found[limit - 1].number
    return as_json(answer)
