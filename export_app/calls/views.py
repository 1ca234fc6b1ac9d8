"""`/v1/calls`: the call records."""

import datetime as dt
import functools
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, request

from export_app.auth.request import current_identity, key_blueprint
from export_app.calls import csv_page
from export_app.calls.for_people import Style, columns_read, encode_csv, file_name, local_time
from export_app.calls.page import Page, read_calls
from export_app.calls.query import CallsQuery
from export_app.calls.schema import CallPage
from export_app.calls.workbook import MEDIA_TYPE as WORKBOOK
from export_app.calls.workbook import encode_workbook
from export_app.context import services
from export_app.web.openapi import get
from export_app.web.responses import as_json
from tollbook.model.record import JSON_COLUMNS, Record

calls = key_blueprint("calls")


@get(calls, "/calls", summary="List calls", operation_id="listCalls", responses={200: CallPage})
def list_calls(query: CallsQuery) -> Response:
    """Calls of the key's account that started in [since, until), or changed since a time, a page at a time."""
    here = services()
    page = read_calls(
        here.database,
        here.archive,
        current_identity(),
        query,
        now_ms=time.time_ns() // 1_000_000,
        recordings=here.recordings,
    )
    if query.is_for_people:
        response = _for_people(page, query)
    else:
        response = _as_csv(page, raw=query.raw == "1") if query.format == "csv" else _as_json(page)
    if page.next_cursor is not None:
        # The key is never in it: keys are sent in a header, and `check_names` refuses one in the query.
        following = urlencode({**request.args.to_dict(), "cursor": page.next_cursor})
        response.headers["Link"] = f'<{here.api_url}{request.path}?{following}>; rel="next"'
    return response


def _as_json(page: Page) -> Response:
    row_of = _row_type(page.columns)
    answer: dict[str, object] = {"ok": True, "count": len(page)}
    if (currencies := page.currencies) is not None:
        answer["currency"] = currency_of(currencies)
        if len(currencies) > 1:
            answer["hint"] = f"amounts are in {' and '.join(currencies)}: with fields=…,currency each row says which"
    if places := [place for place, name in enumerate(page.columns) if name in JSON_COLUMNS]:
        answer["rows"] = [row_of(*_with_json(row, places)) for row in page.rows()]
    else:
        answer["rows"] = [row_of(*row) for row in page.rows()]
    if page.deleted is not None:
        answer["deleted"] = [key._asdict() for key in page.deleted]
    if page.next_cursor is not None:
        answer["next_cursor"] = page.next_cursor
    if page.sync_cursor is not None:
        answer["sync_cursor"] = page.sync_cursor
    return as_json(answer)


def currency_of(currencies: Sequence[str]) -> str | None:
    """Return the currency of all amounts of a page, `mixed` for several, None for none."""
    return currencies[0] if len(currencies) == 1 else "mixed" if currencies else None


@functools.lru_cache(maxsize=64)
def _row_type(columns: tuple[str, ...]) -> type[Any]:
    """Make a type for rows of these columns: msgspec writes its values five times as fast as dicts."""
    return msgspec.defstruct("Row", [(name, Any) for name in columns], gc=False)


def _with_json(row: Record, places: Sequence[int]) -> list[object]:
    """Return a row whose JSON at these places is JSON of the page, and no longer text."""
    values = list(row)
    for place in places:
        json = values[place]
        values[place] = msgspec.Raw(json.encode()) if isinstance(json, str) else None
    return values


def _for_people(page: Page, query: CallsQuery) -> Response:
    here, identity, columns = services(), current_identity(), columns_read(page.columns)
    rows = page.rows(columns)
    if page.deleted is not None:
        with_deletion, rows = csv_page.with_deleted(columns, rows, page.deleted)
        columns = tuple(with_deletion)
    account_id, zone = page.account_id or identity.key.account_id, query.zone
    since, until = page.span()
    if query.format == "xlsx":
        about = {
            "account": account_id or "all accounts",
            "from": "the beginning" if since == 0 else local_time(since, zone).isoformat(),
            "until": local_time(until, zone).isoformat(),
            "time zone": str(zone),
            "calls": len(page),
            "complete": "yes" if page.next_cursor is None else "no: there are more calls than limit",
        }
        with here.workbooks.taken(identity.accounts):
            body = encode_workbook(rows, columns, zone, about)
        response = Response(body, content_type=WORKBOOK)
    else:
        style = Style(zone=zone, locale=query.locale or "en")
        response = Response(encode_csv(rows, columns, style, raw=query.raw == "1"), content_type=csv_page.MEDIA_TYPE)
    name = file_name(account_id, since, until, zone, query.format)
    return _with_cursors(response, page, f"attachment; filename={name}")


def _as_csv(page: Page, *, raw: bool) -> Response:
    until = dt.datetime.fromtimestamp(page.until // 1000, dt.UTC)
    columns, rows = page.columns, page.rows()
    if page.deleted is not None:
        columns, rows = csv_page.with_deleted(columns, rows, page.deleted)
    body = csv_page.encode_page(rows, columns, raw=raw)
    response = Response(body, content_type=csv_page.MEDIA_TYPE)
    return _with_cursors(response, page, f'attachment; filename="calls-until-{until:%Y%m%dT%H%M%SZ}.csv"')


def _with_cursors(response: Response, page: Page, disposition: str) -> Response:
    """Add to a file the headers that say what JSON has beside the rows."""
    response.headers["Content-Disposition"] = disposition
    if currency := currency_of(page.currencies or ()):
        response.headers[csv_page.CURRENCY] = currency
    if page.next_cursor is not None:
        response.headers[csv_page.NEXT_CURSOR] = page.next_cursor
    if page.sync_cursor is not None:
        response.headers[csv_page.SYNC_CURSOR] = page.sync_cursor
    return response
