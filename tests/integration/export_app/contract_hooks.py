"""Hooks for schemathesis: the rules about parameters of `/v1/calls` and `/v1/stats` that a schema cannot express."""

from typing import Any

import schemathesis
from schemathesis import GenerationMode

from tollbook.times import MS_PER_DAY


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Make valid queries consistent: no made-up cursor, since before until, and no window with updated_since."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or not case.query:
        return
    case.query.pop("cursor", None)
    if "updated_since" in case.query:
        for name in ("since", "until", "order"):
            case.query.pop(name, None)
    if {"since", "until"} <= set(case.query):
        case.query["since"], case.query["until"] = sorted((case.query["since"], case.query["until"]), key=int)
    if case.operation.path == "/v1/stats" and "since" in case.query:
        # A window of at most 1000 hours: a day before its end, and without an end none.
        begin = int(case.query.pop("since"))
        if "until" in case.query:
            case.query["since"] = str(max(begin, int(case.query["until"]) - MS_PER_DAY))
