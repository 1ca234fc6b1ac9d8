"""`/v1/names`."""

from typing import Final

from flask import Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.names.schema import NameList, Parameter
from export_app.web.openapi import get
from export_app.web.parameters import MAX_LIMIT, Limit, OfAccount, Text
from export_app.web.responses import as_json
from tollbook.model.scopes import CDR
from tollbook.store.sums.names import NamedColumn, find_names

DEFAULT_NAMES: Final = 100

names = key_blueprint("names")

_COLUMNS: Final[dict[Parameter, NamedColumn]] = {
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "account": "account_id",
}


class NamesQuery(OfAccount):
    """What `GET /v1/names` can be asked for."""

    part: Text = Field(description="A part of a name, in upper or lower case.")
    parameter: Parameter | SkipJsonSchema[None] = Field(
        default=None, description="Only names that this parameter of `/v1/calls` takes; left out: of all three."
    )
    limit: Limit | SkipJsonSchema[None] = Field(
        default=None,
        description=f"At most so many names; left out: {DEFAULT_NAMES}; more than {MAX_LIMIT} counts as {MAX_LIMIT}.",
    )


@get(names, "/names", summary="Find names", operation_id="findNames", responses={200: NameList})
def list_names(query: NamesQuery) -> Response:
    """Queues, agents and, for an operator's key, accounts that complete calls have had, by a part of their names."""
    identity = current_identity()
    identity.require(CDR)
    accounts = identity.accounts_of(query.account)
    with services().database.reading(accounts) as connection:
        columns: list[NamedColumn] = [
            column for parameter, column in _COLUMNS.items() if query.parameter in (None, parameter)
        ]
        found, more = find_names(connection, accounts, query.part, columns, query.limit or DEFAULT_NAMES)
    parameters = {column: parameter for parameter, column in _COLUMNS.items()}
    named = [{"parameter": parameters[name.column], "value": name.value} for name in found]
    return as_json({"ok": True, "names": named, "more": more})
