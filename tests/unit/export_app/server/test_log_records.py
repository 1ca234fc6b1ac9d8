"""The log of `tollbook serve` contains no keys."""

import logging
from typing import Any

import pytest

from export_app.server.log_records import CleanRecords

KEY = "sk_" + "aB3-_" * 8 + "xyz"


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"Invalid HTTP request line: 'GET /v1/calls?key={KEY} HTP'", ()),
        ("Invalid request from ip=%s: %s", ("192.0.2.1", f"Invalid HTTP Header: 'x-api-key {KEY}'")),
        ("%(r)s", ({"r": f"GET /{KEY}"},)),
    ],
)
def test_keys_are_redacted(message: str, arguments: tuple[Any, ...]) -> None:
    """A key is replaced wherever it is: in the message, in an argument, in a mapping of arguments."""
    record = logging.LogRecord("waitress", logging.WARNING, "", 0, message, arguments, None)
    assert CleanRecords().filter(record)
    assert KEY not in record.getMessage()
    assert "sk_…" in record.getMessage()


def test_other_records_stay_as_they_are() -> None:
    """A record without a key keeps its message and its arguments."""
    record = logging.LogRecord("waitress", logging.INFO, "", 0, "100%% of %s", ("it",), None)
    assert CleanRecords().filter(record)
    assert record.getMessage() == "100% of it"
