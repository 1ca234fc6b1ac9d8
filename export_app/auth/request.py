"""The caller of the request that is being served: found before the views of each blueprint that needs a key."""

from typing import Final

from flask import g, request

from export_app.auth.identity import Identity, identify
from export_app.context import services
from export_app.web.client_address import client_address
from export_app.web.errors import Refusal

KEY_HEADER: Final = "x-api-key"
SCHEME: Final = "key"
SECURITY: Final[list[dict[str, list[str]]]] = [{SCHEME: []}]


def identify_caller() -> None:
    """Find the caller by its key, and count the request; raises Refusal. For `before_request`."""
    here = services()
    client = client_address(request.remote_addr or "", request.headers.get("X-Forwarded-For"), here.trusted_proxies)
    try:
        g.caller = found = identify(here.database, request.headers.get(KEY_HEADER), client)
    except Refusal:
        here.rate_limit.count_attempt(client)
        raise
    here.rate_limit.count_request(found.key.key_id)


def caller() -> Identity:
    """Give the caller that `identify_caller` found."""
    found = g.caller
    assert isinstance(found, Identity)
    return found
