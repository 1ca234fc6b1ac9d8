"""Requests to the API in the test, and the calls that it finds."""

import json
from collections.abc import Callable

from werkzeug.test import TestResponse

from tests.databases import store
from tests.factories import price_of
from tollbook.model.record import Row
from tollbook.store.database import Connection

#: Requests `/v1/calls`, or another path, with a query string.
Get = Callable[..., TestResponse]


def insert(connection: Connection, *rows: Row) -> None:
    """Store rows, each complete one with a price."""
    connection.autocommit = True
    store(connection, *((row, price_of(row)) for row in rows))


def refused(answer: TestResponse, status: int, code: str) -> str:
    """Check an error response, and return its message."""
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    body = json.loads(answer.data)
    assert list(body) == ["ok", "code", "message"]
    assert (body["ok"], body["code"]) == (False, code)
    return body["message"]
