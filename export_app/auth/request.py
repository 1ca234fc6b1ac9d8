"""Authentication of the request that is being served, before any view of a blueprint that needs a key."""

from collections.abc import Iterable
from typing import Final

from flask import g, request
from flask_openapi3.blueprint import APIBlueprint

from export_app.auth.identity import Identity, identify
from export_app.context import services
from export_app.web.client_address import client_address
from export_app.web.errors import ApiError
from export_app.web.openapi import error_responses

KEY_HEADER: Final = "x-api-key"
SCHEME: Final = "key"


def key_blueprint(name: str, *, errors: Iterable[int] = ()) -> APIBlueprint:
    """Make a blueprint under /v1 whose views need a key. `errors`: HTTP statuses beyond those that all of them have."""
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix="/v1",
        abp_security=[{SCHEME: []}],
        abp_responses=error_responses(*sorted((400, 401, 403, 429, 503, *errors))),
    )
    blueprint.before_request(authenticate)
    return blueprint


def authenticate() -> None:
    """Find the identity behind the key and count the request; raises ApiError. Runs before each view."""
    here = services()
    client = client_address(request.remote_addr or "", request.headers.get("X-Forwarded-For"), here.trusted_proxies)
    try:
        g.identity = found = identify(here.database, request.headers.get(KEY_HEADER), client)
    except ApiError:
        here.rate_limit.count_attempt(client)
        raise
    here.rate_limit.count_request(found.key.key_id)


def current_identity() -> Identity:
    """Return the identity that `authenticate` found for this request."""
    found = g.identity
    assert isinstance(found, Identity)
    return found
