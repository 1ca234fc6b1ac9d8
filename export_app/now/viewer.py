"""Who watches: somebody with a key or a session, or with a link that shows one queue and nothing else."""

from flask import g, request

from export_app.auth.identity import unauthorized
from export_app.auth.request import (
    KEY_HEADER,
    authenticate,
    bearer_token,
    check_session_attempts,
    current_identity,
    request_client,
)
from export_app.context import services
from export_app.now.feeds import Viewer
from export_app.web.errors import ApiError
from tollbook.model.accounts import OneAccount
from tollbook.model.scopes import AGENTS, CDR, QUEUES, grants
from tollbook.store import wallboard_links


def find_viewer() -> Viewer:
    """Return who sent this request; raises ApiError."""
    token = sent_link(request.headers.get("Authorization"))
    if token is not None and not request.headers.get(KEY_HEADER):  # with a key beside it, `authenticate` refuses both
        return _by_link(token)
    authenticate()
    identity = current_identity()
    parts = {name: grants(identity.key.scopes, name) for name in (CDR, QUEUES, AGENTS)}
    if not any(parts.values()):
        identity.require(CDR)
    return Viewer(
        accounts=identity.accounts_of(request.args.get("account")),
        owner=identity.key_hash,
        session=identity.session,
        calls=parts[CDR],
        queues=parts[QUEUES],
        agents=parts[AGENTS],
    )


def sent_link(authorization: str | None) -> str | None:
    """Return the token of a link out of the header Authorization; None: it has none."""
    token = bearer_token(authorization)
    return token if token is not None and token.startswith("wb_") else None


def _by_link(token: str) -> Viewer:
    here, client = services(), request_client()
    hashed = wallboard_links.link_hash(token)
    known = None if hashed is None else here.known_sessions.key_of(hashed)
    if known is None:
        check_session_attempts(here, hashed, client)
    else:
        g.allowance = here.rate_limit.count_request(known)
    link = None
    if hashed is not None:
        with here.database.looking_up() as connection:
            link = wallboard_links.find(connection, hashed)
    if hashed is None or link is None:
        here.rate_limit.count_attempt(client)
        if hashed is not None:
            here.known_sessions.discard(hashed)
        raise unauthorized(
            "unknown_link", "this link is unknown, or shows nothing any more: ask the operator for a new one"
        )
    if request.args:
        raise ApiError(400, "unknown_parameter", "a link shows one queue, and takes no parameter")
    if known is None:
        here.known_sessions.add(hashed, hashed)
        g.allowance = here.rate_limit.count_request(hashed)
    return Viewer(accounts=OneAccount(link.account_id), owner=hashed, queue=link.queue_id, agents=False)
