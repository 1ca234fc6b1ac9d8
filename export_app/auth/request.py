"""Authentication of the request that is being served, before any view of a blueprint that needs a key."""

from collections.abc import Iterable
from typing import Final

from flask import g, request
from flask_openapi3.blueprint import APIBlueprint

from export_app.auth.identity import Identity, identify
from export_app.context import Services, services
from export_app.web.client_address import Address, client_address
from export_app.web.errors import ApiError
from export_app.web.openapi import error_responses
from tollbook.store import keys

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
    """Count the request, and find the identity behind its key; raises ApiError. Runs before each view.

    Whoever is over a limit costs the database nothing.
    """
    here = services()
    client = client_address(request.remote_addr or "", request.headers.get("X-Forwarded-For"), here.trusted_proxies)
    secret = request.headers.get(KEY_HEADER)
    hashed = keys.key_hash(secret or "")
    known = hashed if hashed in here.known_keys else None
    if known is not None:
        here.rate_limit.count_request(known)
    else:
        _check_attempts(here, hashed, client)
    try:
        g.identity = found = identify(here.database, secret, hashed, client)
    except ApiError:
        here.rate_limit.count_attempt(client)
        if hashed is not None:
            here.known_keys.discard(hashed)
        raise
    if known is None:
        here.known_keys.add(found.key_hash)
        here.rate_limit.count_request(found.key_hash)


def _check_attempts(here: Services, hashed: bytes | None, client: Address | None) -> None:
    """Raise ApiError after too many attempts; a valid key works all the same, because clients may share an address."""
    try:
        here.rate_limit.check_attempts(client)
    except ApiError:
        if hashed is None or not here.known_keys.lists(hashed, here.database):
            raise


def current_identity() -> Identity:
    """Return the identity that `authenticate` found for this request."""
    found = g.identity
    assert isinstance(found, Identity)
    return found
