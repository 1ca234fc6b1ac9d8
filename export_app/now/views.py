"""`/v1/now`, for those who ask again and again, and `/v1/now/stream`, which tells when something has changed."""

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ValidationError

from export_app.auth.request import BEARER_SCHEME, SCHEME
from export_app.context import services
from export_app.now.feeds import feeds
from export_app.now.schema import NowAnswer
from export_app.now.viewer import find_viewer
from export_app.web.event_stream import STREAM
from export_app.web.openapi import error_responses, get
from export_app.web.parameters import OfAccount, parameter_error
from export_app.web.responses import as_json

now = APIBlueprint(
    "now",
    __name__,
    url_prefix="/v1",
    abp_security=[{SCHEME: []}, {BEARER_SCHEME: []}],
    abp_responses=error_responses(400, 401, 403, 429, 503),
)


@get(now, "/now", summary="Show what is up", operation_id="readNow", responses={200: NowAnswer})
def read_now(query: OfAccount) -> Response:
    """The calls that are up, who waits, what agents do, and the day of each queue: the same as the stream tells."""
    del query
    viewer, board = find_viewer(), feeds().board
    found = board.fresh(viewer.accounts)
    if found is None:
        with services().watchers.taken(viewer.accounts):
            found = board.of(viewer.accounts)
    return as_json({**viewer.shown(found), "now_ts": found.now_ts})


def stream_now() -> Response:
    """Server-sent events: what `/v1/now` says, at once and whenever it has changed."""
    try:
        OfAccount.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise parameter_error(error) from error
    viewer = find_viewer()
    if request.method == "GET":
        request.environ[STREAM] = feeds().add(viewer)
    response = Response(iter((b"retry: 3000\n\n",)), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would wait until it has a page full
    return response


# Not in the OpenAPI document: what a client of it would make of a response without an end is a request that hangs.
now.add_url_rule("/now/stream", view_func=stream_now)
