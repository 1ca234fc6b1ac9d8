"""A log line is one line, and nothing that a caller chose can be taken for another part of it."""

import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.log import log_line, one_line

LOGGER = logging.getLogger("test.log")

# A field as a program reads it: a name, and a value that is bare or in quotes.
FIELD = re.compile(r' (\w+)=([^\s"=\\]+|"(?:[^"\\]|\\.)*")')


def logged(caplog: pytest.LogCaptureFixture, **fields: Any) -> str:
    caplog.clear()
    with caplog.at_level(logging.INFO, LOGGER.name):
        log_line(LOGGER, logging.INFO, "said", **fields)
    return caplog.messages[-1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/v1/calls", "/v1/calls"),
        (200, "200"),
        ("Zoë+49", "Zoë+49"),
        ("a b", '"a b"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('a" b="c', r'"a\" b=\"c"'),
        ("a\\", r'"a\\"'),
        ("a\nb", r'"a\x0ab"'),
        ("\x1b[2J", r'"\x1b[2J"'),
        ("a\u202eb\u2028", r'"a\u202eb\u2028"'),
        ("x" * 201, f'"{"x" * 200}…"'),
    ],
)
def test_values_are_quoted_where_they_could_mislead(
    caplog: pytest.LogCaptureFixture, value: object, shown: str
) -> None:
    """A value of letters, digits and signs stands as it is; any other in quotes, its own quotes escaped."""
    assert logged(caplog, path=value, client="192.0.2.1") == f"said path={shown} client=192.0.2.1"


@given(st.text() | st.text(alphabet='a"\\ =\n\u2028'))
def test_no_value_forges_a_field_or_a_line(value: str) -> None:
    """Whatever a value is, a reader finds exactly the fields that were logged, on one line."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        log_line(LOGGER, logging.INFO, "said", path=value, status=200)
    finally:
        LOGGER.removeHandler(handler)
    (line,) = records
    assert len(line.splitlines()) == 1
    found = FIELD.findall(line.removeprefix("said"))
    assert [name for name, _ in found] == ["path", "status"]
    assert "".join(f" {name}={shown}" for name, shown in found) == line.removeprefix("said")


def test_one_line_escapes_controls_alone() -> None:
    """Letters of any script stay; what ends a line or turns its direction does not."""
    assert one_line("é 漢\r\n\x85\u2029\u2066") == r"é 漢\x0d\x0a\x85\u2029\u2066"
