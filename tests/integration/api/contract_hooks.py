"""For schemathesis: what a schema cannot say about the parameters of `/v1/calls`, said here."""

from typing import Any

import schemathesis
from schemathesis import GenerationMode


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Make valid queries consistent: cursors are the server's, a window has an order, changes have no window."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or not case.query:
        return
    case.query.pop("cursor", None)
    if "updated_since" in case.query:
        for name in ("since", "until", "order"):
            case.query.pop(name, None)
    if {"since", "until"} <= set(case.query):
        case.query["since"], case.query["until"] = sorted((case.query["since"], case.query["until"]), key=int)
