"""`/v1/calls`: the call records."""

import datetime as dt
import functools
import time
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, request

from export_app.auth.request import current_identity, key_blueprint
from export_app.calls import csv_page
from export_app.calls.page import Page, read_calls
from export_app.calls.query import CallsQuery
from export_app.calls.schema import CallPage
from export_app.context import services
from export_app.web.openapi import get
from export_app.web.responses import as_json

calls = key_blueprint("calls")


@get(calls, "/calls", summary="List calls", operation_id="listCalls", responses={200: CallPage})
def list_calls(query: CallsQuery) -> Response:
    """Calls of the key's account that started in [since, until), or changed since a time, a page at a time."""
    page = read_calls(
        services().database, services().archive, current_identity(), query, now_ms=time.time_ns() // 1_000_000
    )
    response = _as_csv(page, raw=query.raw == "1") if query.format == "csv" else _as_json(page)
    if page.next_cursor is not None:
        # The key is never in it: keys are sent in a header, and `check_names` refuses one in the query.
        following = urlencode({**request.args.to_dict(), "cursor": page.next_cursor})
        response.headers["Link"] = f'<{request.path}?{following}>; rel="next"'
    return response


def _as_json(page: Page) -> Response:
    row_of = _row_type(page.columns)
    answer: dict[str, object] = {"ok": True, "count": len(page)}
    if "parts" in page.columns:
        parts = page.columns.index("parts")
        answer["rows"] = [row_of(*row[:parts], _as_it_is(row[parts]), *row[parts + 1 :]) for row in page.rows()]
    else:
        answer["rows"] = [row_of(*row) for row in page.rows()]
    if page.next_cursor is not None:
        answer["next_cursor"] = page.next_cursor
    if page.sync_cursor is not None:
        answer["sync_cursor"] = page.sync_cursor
    return as_json(answer)


@functools.lru_cache(maxsize=64)
def _row_type(columns: tuple[str, ...]) -> type[Any]:
    """Make a type for rows of these columns: msgspec writes its values five times as fast as dicts."""
    return msgspec.defstruct("Row", [(name, Any) for name in columns], gc=False)


def _as_it_is(json: object) -> msgspec.Raw | None:
    return msgspec.Raw(json.encode()) if isinstance(json, str) else None


def _as_csv(page: Page, *, raw: bool) -> Response:
    until = dt.datetime.fromtimestamp(page.until // 1000, dt.UTC)
    body = csv_page.encode_page(page.rows(), page.columns, raw=raw)
    response = Response(body, content_type=csv_page.MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="calls-until-{until:%Y%m%dT%H%M%SZ}.csv"'
    if page.next_cursor is not None:
        response.headers[csv_page.NEXT_CURSOR] = page.next_cursor
    if page.sync_cursor is not None:
        response.headers[csv_page.SYNC_CURSOR] = page.sync_cursor
    return response
