"""`/healthz` and `/readyz`, for monitoring; they need no key."""

from typing import Final, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from export_app.context import services
from export_app.web.openapi import error_responses, get
from export_app.web.responses import as_json
from export_app.web.schema import ErrorResponse, ResponseModel
from tollbook.store.database import check_schema

# Shorter than other requests wait for a connection: a load balancer or `tollbook doctor` waits only a few seconds, and
# takes a process that answers later for one that hangs.
READY_WITHIN_S: Final = 1.0


class Health(ResponseModel):
    """The check passed."""

    ok: Literal[True]


health = APIBlueprint("health", __name__, abp_responses=error_responses(400))


@get(health, "/healthz", summary="Is the process alive?", operation_id="healthz", responses={200: Health})
def healthz() -> Response:
    """Answer without asking the database: a restart of this process would not repair that."""
    return as_json({"ok": True})


@get(
    health,
    "/readyz",
    summary="Can requests be served?",
    operation_id="readyz",
    responses={200: Health, 503: ErrorResponse},
)
def readyz() -> Response:
    """Check that the database answers and has the right schema."""
    with services().database.looking_up(READY_WITHIN_S) as connection:
        check_schema(connection)
    services().outages.database_answers()
    return as_json({"ok": True})
