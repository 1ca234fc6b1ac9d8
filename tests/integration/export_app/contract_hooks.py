"""Hooks for schemathesis: the rules about parameters of `/v1/calls` and `/v1/stats` that a schema cannot express."""

import hashlib
import itertools
from typing import Any

import schemathesis
from schemathesis import GenerationMode

from export_app.web.moment import epoch_ms
from tollbook.times import MS_PER_DAY

ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe")
_clients = itertools.count()
# One of the calls that the test stores: made-up ids find none.
STORED_ID = hashlib.md5(b"0", usedforsecurity=False).hexdigest()


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Make valid queries consistent: no made-up cursor, since before until, and no window with updated_since."""
    # Each case comes from a client of its own: an address has few attempts without a key.
    number = next(_clients)
    case.headers = {**(case.headers or {}), "X-Forwarded-For": f"198.18.{number // 250 % 250}.{number % 250}"}
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.operation.path == "/v1/webhooks" and isinstance(case.body, dict) and "url" in case.body:
        case.body = {"url": "https://example.com/hook"}  # what a URL may be, no pattern can say
    if case.operation.path == "/v1/calls/{id}" and case.meta.phase.name.value == "fuzzing":
        case.path_parameters["id"] = STORED_ID
    if case.operation.path == "/v1/webhooks/{id}/test" and case.meta.phase.name.value == "fuzzing":
        case.path_parameters["id"] = "wh_1"  # which the test made
    if case.operation.path in ("/v1/statements/{month}", "/v1/account"):
        case.query = {**(case.query or {}), "account": "acme"}  # the operator's key, which asks here, has none
    if not case.query:
        return
    case.query.pop("cursor", None)
    if "tz" in case.query:
        case.query["tz"] = ZONES[len(case.query["tz"]) % len(ZONES)]  # the document has no list of all 600
    if case.operation.path == "/v1/calls":
        if "style" in case.query:
            case.query["format"] = "csv"
        else:
            case.query.pop("locale", None)
        if "style" not in case.query and case.query.get("format") != "xlsx":
            case.query.pop("tz", None)
    for name in {"since", "until", "updated_since", "start_ts"} & set(case.query):
        case.query[name] = str(case.query[name]).removesuffix(".0")  # in JSON 7.0 is an integer
    if "updated_since" in case.query:
        for name in ("since", "until", "order"):
            case.query.pop(name, None)
    if {"since", "until"} <= set(case.query):
        case.query["since"], case.query["until"] = sorted((case.query["since"], case.query["until"]), key=_ms)
    if case.operation.path == "/v1/stats" and "since" in case.query:
        # A window of at most 1000 hours: a day before its end, and without an end none.
        begin = _ms(case.query.pop("since"))
        if "until" in case.query:
            case.query["since"] = str(in_ms(max(begin, _ms(case.query["until"]) - MS_PER_DAY)))


def in_ms(time: int) -> int:
    """Return a time that is not taken for one in seconds."""
    return 0 if 10**9 <= time < 10**11 else time


def _ms(time: object) -> int:
    found = epoch_ms(str(time))
    assert isinstance(found, int)
    return found
