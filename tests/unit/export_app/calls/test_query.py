"""The parameters of `GET /v1/calls`: which values are accepted, and the error for every other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from export_app.calls.query import DEFAULT_LIMIT, CallsQuery
from export_app.web.errors import ApiError
from export_app.web.parameters import (
    MAX_LIMIT,
    check_names,
    parameter_error,
)
from tollbook.times import LAST_MS


def parse(*pairs: tuple[str, str]) -> CallsQuery:
    """Validate parameters as a request's are."""
    check_names(pairs)
    try:
        return CallsQuery.model_validate(dict(pairs))
    except ValidationError as error:
        raise parameter_error(error) from error


def test_everything_has_a_default() -> None:
    """Without parameters a query is all calls until now, newest first, a page of JSON."""
    assert parse().model_dump(exclude_none=True) == {
        "since": 0, "order": "desc", "limit": DEFAULT_LIMIT, "format": "json", "raw": "0"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sent", "taken"),
    [
        ("since", "0", 0),
        ("since", "1767225600000", 1767225600000),
        ("since", "007", 7),
        ("since", "2026-01-01T00:00:00Z", 1767225600000),
        ("until", str(LAST_MS), LAST_MS),
        ("limit", "1", 1),
        ("limit", "10000", MAX_LIMIT),
        ("limit", "10001", MAX_LIMIT),
        ("limit", "9" * 400, MAX_LIMIT),
        ("format", "csv", "csv"),
        ("raw", "1", "1"),
        ("order", "asc", "asc"),
        ("updated_since", "7", 7),
        ("number", "+4930", "+4930"),
        ("number", "*97", "*97"),
        ("queue_id", "sales, north", "sales, north"),
        ("min_billsec", "0", 0),
        ("fields", "call_id,parts", "call_id,parts"),
    ],
)
def test_accepted(name: str, sent: str, taken: object) -> None:
    """A value is accepted as it is; a limit that is too high is lowered."""
    assert getattr(parse((name, sent)), name) == taken


MS = (
    "a time in whole milliseconds since 1970, such as 1767225600000, or in ISO 8601 with its offset, such as"
    " 2026-01-01T00:00:00Z"
)


@pytest.mark.parametrize(
    ("pairs", "code", "message"),
    [
        ([("since", "x")], "bad_parameter", f"since must be {MS}"),
        ([("since", "")], "bad_parameter", f"since must be {MS}"),
        ([("since", "-1")], "bad_parameter", f"since must be {MS}"),
        ([("since", "+1")], "bad_parameter", f"since must be {MS}"),
        ([("since", "1.0")], "bad_parameter", f"since must be {MS}"),
        ([("since", "1_000")], "bad_parameter", f"since must be {MS}"),
        ([("since", " 1")], "bad_parameter", f"since must be {MS}"),
        ([("since", "1\n")], "bad_parameter", f"since must be {MS}"),
        ([("since", "٣")], "bad_parameter", f"since must be {MS}"),
        ([("until", "2026-01-01")], "bad_parameter", f"until must be {MS}"),
        ([("until", "2026-01-01T00:00:00")], "bad_parameter", f"until must be {MS}"),
        (
            [("since", "1767225600")],
            "bad_parameter",
            "since must be in milliseconds, and 1767225600 looks like seconds: write 1767225600000",
        ),
        (
            [("since", "2026-01-01T00:00:00 01:00")],
            "bad_parameter",
            "since has a space where its offset begins: in a URL a + is written %2B",
        ),
        (
            [("since", "2026-02-30T00:00:00Z")],
            "bad_parameter",
            "since is no time of any day: its month, day, hour, minute or offset",
        ),
        ([("until", "9" * 5000)], "bad_parameter", f"until must be {MS}"),
        (
            [("since", "1767225600000000")],
            "bad_parameter",
            f"since must be at most {LAST_MS}: it is in milliseconds, not microseconds",
        ),
        ([("since", "2"), ("until", "1")], "bad_parameter", "since must not be later than until: swap them"),
        ([("limit", "0")], "bad_parameter", "limit must be at least 1"),
        ([("limit", "ten")], "bad_parameter", "limit must be a whole number from 1 to 10000"),
        ([("format", "xml")], "bad_parameter", "format must be 'json', 'csv' or 'xlsx'"),
        ([("raw", "yes")], "bad_parameter", "raw must be '0' or '1'"),
        ([("sinse", "1")], "unknown_parameter", "'sinse' is not a parameter here: did you mean since?"),
        (
            [("tenant", "other")],
            "unknown_parameter",
            "'tenant' is not a parameter here: there are: " + ", ".join(CallsQuery.model_fields),
        ),
        ([("{name}", "1")], "unknown_parameter", None),
        ([("order", "up")], "bad_parameter", "order must be 'asc' or 'desc'"),
        (
            [("direction", "out")],
            "bad_parameter",
            "direction must be 'inbound', 'outbound' or 'internal'",
        ),
        (
            [("disposition", "anwsered")],
            "bad_parameter",
            "disposition must be 'answered', 'busy', 'no_answer', 'rejected', 'cancelled', 'failed', 'abandoned' or"
            " 'lost'",
        ),
        (
            [("number", " 4930")],
            "bad_parameter",
            "number must not begin with a space: in a URL a + is written %2B",
        ),
        ([("number", "")], "bad_parameter", "number must not be empty: leave it out to see all calls"),
        ([("queue_id", "a" * 256)], "bad_parameter", "queue_id must have at most 255 characters"),
        ([("agent_id", "a\0")], "bad_parameter", "agent_id must not contain a zero byte"),
        ([("min_billsec", "1.5")], "bad_parameter", "min_billsec must be a number of seconds from 0 to 2147483647"),
        ([("min_billsec", "2147483648")], "bad_parameter", "min_billsec must be at most 2147483647"),
        (
            [("fields", "call_id,cost_micro")],
            "bad_parameter",
            "fields has no column 'cost_micro': did you mean cost_micros?",
        ),
        ([("fields", "")], "bad_parameter", None),
        (
            [("updated_since", "1"), ("order", "asc")],
            "bad_parameter",
            "updated_since returns rows in the order of change: leave order out",
        ),
    ],
)
def test_rejected(pairs: list[tuple[str, str]], code: str, message: str | None) -> None:
    """The error has a code, and a message that says what to do."""
    with pytest.raises(ApiError) as caught:
        parse(*pairs)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert message is None or caught.value.message == message


def test_since_may_equal_until() -> None:
    """An empty time window is valid."""
    assert parse(("since", "5"), ("until", "5"))


@given(st.lists(st.tuples(st.sampled_from([*CallsQuery.model_fields, "x"]) | st.text(), st.text())))
def test_nothing_but_an_api_error_is_raised(pairs: list[tuple[str, str]]) -> None:
    """Any query is either accepted or an ApiError."""
    try:
        query = parse(*pairs)
    except ApiError:
        return
    assert 1 <= query.limit <= MAX_LIMIT
