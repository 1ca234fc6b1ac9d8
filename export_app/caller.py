"""The caller of the request that is being served: found before the views of each blueprint that needs a key."""

from typing import Final

from flask import g, request

from export_app.identity import Identity, identify
from export_app.wiring import database

KEY_HEADER: Final = "x-api-key"
SCHEME: Final = "key"
SECURITY: Final[list[dict[str, list[str]]]] = [{SCHEME: []}]


def identify_caller() -> None:
    """Find the caller by its key; raises Refusal. For `before_request`."""
    g.caller = identify(database(), request.headers.get(KEY_HEADER))


def caller() -> Identity:
    """Give the caller that `identify_caller` found."""
    found = g.caller
    assert isinstance(found, Identity)
    return found
