"""`/v1/calls`: the call records."""

import datetime as dt
import time

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from export_app import csv_page
from export_app.answer import as_json
from export_app.caller import SECURITY, caller, identify_caller
from export_app.openapi import get
from export_app.page import Page, read
from export_app.parameters import CallsQuery
from export_app.schema import CallPage, Failure
from export_app.wiring import archive, database
from tollbook.model.row import COLUMNS

calls = APIBlueprint(
    "calls",
    __name__,
    url_prefix="/v1",
    abp_security=SECURITY,
    abp_responses={400: Failure, 401: Failure, 403: Failure, 503: Failure},
)
calls.before_request(identify_caller)


@get(calls, "/calls", summary="List calls", operation_id="listCalls", responses={200: CallPage})
def list_calls(query: CallsQuery) -> Response:
    """Calls of the key's account that started in [since, until), newest first, a page at a time."""
    page = read(database(), archive(), caller(), query, now_ms=time.time_ns() // 1_000_000)
    return _as_csv(page, raw=query.raw == "1") if query.format == "csv" else _as_json(page)


def _as_json(page: Page) -> Response:
    answer: dict[str, object] = {
        "ok": True,
        "count": len(page.rows),
        "rows": [dict(zip(COLUMNS, row, strict=True)) for row in page.rows],
    }
    if page.next_cursor is not None:
        answer["next_cursor"] = page.next_cursor
    return as_json(answer)


def _as_csv(page: Page, *, raw: bool) -> Response:
    until = dt.datetime.fromtimestamp(page.until // 1000, dt.UTC)
    response = Response(csv_page.encode_page(page.rows, raw=raw), content_type=csv_page.MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="calls-until-{until:%Y%m%dT%H%M%SZ}.csv"'
    if page.next_cursor is not None:
        response.headers[csv_page.NEXT_CURSOR] = page.next_cursor
    return response
