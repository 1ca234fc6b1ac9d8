"""`/v1/calls/{id}`: a call with its legs, the rule that gave each column, and its price explained."""

from typing import Final

from flask import Flask, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from werkzeug.routing import BaseConverter

from export_app.auth.request import current_identity, key_blueprint
from export_app.calls.detail_schema import CallDetails
from export_app.context import Services, services
from export_app.web.errors import ApiError
from export_app.web.openapi import get
from export_app.web.parameters import EpochMs, Query
from export_app.web.responses import as_json
from rating.explain import explain_stored_call
from tollbook.model.accounts import EveryAccount
from tollbook.model.presentation import Presentation
from tollbook.model.scopes import CDR
from tollbook.model.wanted_calls import WantedCalls
from tollbook.store import row_security
from tollbook.store.calls.detail import (
    FOR_EVER_MS,
    KeptCall,
    complete_archived,
    find_calls,
    newest_first,
    read_legs,
)

_ANY_ID: Final = "any_id"


class _AnyId(BaseConverter):
    """The rest of a path, whatever it holds: an operator can make the SIP Call-ID the id of a call."""

    regex = "(?s:.+)"
    part_isolating = False


def accept_any_id(app: Flask) -> None:
    """Let routes of this app take ids of any text. Call before they are registered."""
    app.url_map.converters[_ANY_ID] = _AnyId
    # Otherwise an id with two slashes in a row would be redirected to another id.
    app.url_map.merge_slashes = False


detail = key_blueprint("detail", errors=(404, 422))


class DetailQuery(Query):
    """What `GET /v1/calls/{id}` can be asked for."""

    start_ts: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="The call of this id that started at this time: a switch can use an id again.",
    )


class _CallPath(BaseModel):
    id: str = Field(description="The call_id, URL-encoded, its slashes too.")


@get(
    detail, f"/calls/<{_ANY_ID}:id>", summary="Explain a call", operation_id="explainCall", responses={200: CallDetails}
)
def explain_call(path: _CallPath, query: DetailQuery) -> Response:
    """Each call with this id, newest first: its legs, the rule that gave each column, its price part by part."""
    identity = current_identity()
    identity.require(CDR)
    here = services()
    first_ts, last_ts = (0, FOR_EVER_MS) if query.start_ts is None else (query.start_ts, query.start_ts)
    with here.database.reading(identity.accounts) as connection:
        found = find_calls(connection, path.id, identity.accounts, first_ts=first_ts, last_ts=last_ts)
    kept = found.calls
    if found.older is not None:
        kept = newest_first([*kept, *_find_older(here, found.older)])
    if not kept:
        # The same answer for another account's id: nobody else may learn that it exists.
        raise ApiError(404, "unknown_call", "this key's account has no such call: give a call_id of /v1/calls as it is")
    shown = Presentation(
        hides_carriers=not identity.sees_carriers, whole_paths=identity.is_operator, recordings=here.recordings
    )
    calls = [explain_stored_call(call, here.trunk_rules).to_dict(shown) for call in kept]
    return as_json({"ok": True, "calls": calls})


def _find_older(here: Services, wanted: WantedCalls) -> list[KeptCall]:
    """Find calls in the archive, while no connection is held; raises ApiError, ArchiveError and others."""
    records = here.archive.find_by_id(wanted)
    if not records:
        return []
    with here.database.searching(wanted.accounts) as connection:
        with row_security.reading(connection, EveryAccount()):
            legs = read_legs(connection, records)
        with row_security.reading(connection, wanted.accounts):
            return complete_archived(connection, records.values(), legs, wanted.accounts)
