"""Authentication of the request that is being served, before any view of a blueprint that needs a key."""

from collections.abc import Collection, Iterable
from typing import Final

from flask import Response, g, request
from flask_openapi3.blueprint import APIBlueprint

from export_app.auth.cookie import drop_session_cookie, session_cookie
from export_app.auth.identity import Identity, identify, identify_session, session_ended, unauthorized
from export_app.auth.same_origin import is_own_request
from export_app.context import Services, services
from export_app.web.client_address import Address, client_address
from export_app.web.errors import ApiError
from export_app.web.openapi import error_responses
from export_app.web.rate_limit import Allowance
from tollbook.store import keys, sessions

KEY_HEADER: Final = "x-api-key"
SCHEME: Final = "key"
BEARER_SCHEME: Final = "bearer"
_BEARER: Final = "bearer "


def key_blueprint(name: str, *, errors: Iterable[int] = (), without_key: Collection[str] = ()) -> APIBlueprint:
    """Make a blueprint under /v1 whose views need a key.

    `errors`: HTTP statuses beyond those that all of them have. `without_key`: the names of views that need none.
    """
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix="/v1",
        abp_security=[{SCHEME: []}, {BEARER_SCHEME: []}],
        abp_responses=error_responses(*sorted((400, 401, 403, 429, 503, *errors))),
    )
    open_to_all = {f"{name}.{view}" for view in without_key}
    blueprint.before_request(lambda: None if request.endpoint in open_to_all else authenticate())
    return blueprint


def authenticate() -> None:
    """Count the request, and find the identity behind its key or its session; raises ApiError. Runs before each view.

    Whoever is over a limit costs the database nothing.
    """
    here, client = services(), request_client()
    try:
        secret = sent_key(request.headers.get(KEY_HEADER), request.headers.get("Authorization"))
    except ApiError:
        here.rate_limit.check_attempts(client)
        here.rate_limit.count_attempt(client)
        raise
    if not secret and (token := session_cookie(request, here)) is not None:
        _authenticate_session(here, token, client)
        return
    hashed = keys.key_hash(secret or "")
    known = hashed if hashed in here.known_keys else None
    if known is not None:
        g.allowance = here.rate_limit.count_request(known)
    else:
        _check_attempts(here, hashed, client)
    try:
        g.identity = found = identify(
            here.database, secret, hashed, client, tenants_see_carriers=here.tenants_see_carriers
        )
    except ApiError:
        here.rate_limit.count_attempt(client)
        if hashed is not None:
            here.known_keys.discard(hashed)
        raise
    if known is None:
        here.known_keys.add(found.key_hash)
        g.allowance = here.rate_limit.count_request(found.key_hash)


def _authenticate_session(here: Services, token: str, client: Address | None) -> None:
    """Count and authenticate a request with the cookie of a session, as one with its key; raises ApiError."""
    refuse_other_sites(here)
    hashed = sessions.token_hash(token)
    known = None if hashed is None else here.known_sessions.key_of(hashed)
    if known is not None:
        g.allowance = here.rate_limit.count_request(known)
    else:
        check_session_attempts(here, hashed, client)
    try:
        if hashed is None:
            raise session_ended()
        g.identity = found = identify_session(
            here.database, hashed, client, tenants_see_carriers=here.tenants_see_carriers
        )
    except ApiError as error:
        here.rate_limit.count_attempt(client)
        if hashed is not None:
            here.known_sessions.discard(hashed)
        g.session_ended = error.status == 401
        raise
    if known is None:
        here.known_sessions.add(hashed, found.key_hash)
        g.allowance = here.rate_limit.count_request(found.key_hash)


def refuse_other_sites(here: Services) -> None:
    """Raise ApiError for a request that may not use its cookie."""
    if not is_own_request(
        request.method,
        fetch_site=request.headers.get("Sec-Fetch-Site"),
        origin=request.headers.get("Origin"),
        host=request.host,
        api_url=here.api_url,
    ):
        raise ApiError(
            403,
            "cross_site",
            "a session is for the dashboard's own requests: send an API key in the header x-api-key instead",
        )


def check_session_attempts(here: Services, hashed: bytes | None, client: Address | None) -> None:
    """Raise ApiError after too many attempts, but for the hash of a valid session or link, as for a valid key."""
    try:
        here.rate_limit.check_attempts(client)
    except ApiError:
        if hashed is None or not here.known_sessions.lists(hashed, here.database):
            raise


def drop_ended_session(response: Response) -> Response:
    """Let the browser forget a session that is over. For `after_request`."""
    if g.get("session_ended", False):
        drop_session_cookie(response, request, services())
    return response


def request_client() -> Address | None:
    """Return the address of who sent this request."""
    proxies = services().trusted_proxies
    return client_address(request.remote_addr or "", request.headers.get("X-Forwarded-For"), proxies)


def bearer_token(authorization: str | None) -> str | None:
    """Return what a header Authorization has by the scheme Bearer; None: it has another one, or there is no header."""
    if authorization is None or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization[len(_BEARER) :].strip()


def sent_key(key: str | None, authorization: str | None) -> str | None:
    """Return the API key out of the two headers that it may be sent in; raises ApiError for two different ones.

    Of other schemes than Bearer, which proxies use for themselves, nothing is read.
    """
    bearer = bearer_token(authorization)
    if key and bearer and key != bearer:
        raise unauthorized(
            "two_keys",
            "the headers x-api-key and Authorization have different keys, which may be of different accounts: send one",
        )
    return key or bearer


def _check_attempts(here: Services, hashed: bytes | None, client: Address | None) -> None:
    """Raise ApiError after too many attempts; a valid key works all the same, because clients may share an address."""
    try:
        here.rate_limit.check_attempts(client)
    except ApiError:
        if hashed is None or not here.known_keys.lists(hashed, here.database):
            raise


def is_authenticated() -> bool:
    """Return whether `authenticate` has found, in the database, who sent this request."""
    return "identity" in g


def add_allowance(response: Response) -> Response:
    """Say in a response how many requests its key has left. For `after_request`."""
    if isinstance(allowance := g.get("allowance"), Allowance):
        response.headers.update(allowance.headers())
    return response


def current_identity() -> Identity:
    """Return the identity that `authenticate` found for this request."""
    found = g.identity
    assert isinstance(found, Identity)
    return found
