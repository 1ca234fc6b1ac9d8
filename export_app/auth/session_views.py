"""`/v1/session` and `/v1/sessions`: sign in with a key, in a browser that keeps a cookie in its place, and out."""

import logging
from typing import Any, Literal

from flask import Response, request
from pydantic import Field

from export_app.auth.cookie import drop_session_cookie, session_cookie, set_session_cookie
from export_app.auth.request import (
    KEY_HEADER,
    authenticate,
    check_session_attempts,
    current_identity,
    key_blueprint,
    refuse_other_sites,
    request_client,
    sent_key,
)
from export_app.context import services
from export_app.web.errors import ApiError
from export_app.web.openapi import delete, get, post
from export_app.web.parameters import NoQuery
from export_app.web.responses import as_json
from export_app.web.schema import ResponseModel
from tollbook.log import log_line
from tollbook.store import sessions

_log = logging.getLogger("tollbook.serve")

_CREATED = 201


class StartedSession(ResponseModel):
    """A session that has begun; its token is in the header Set-Cookie alone."""

    ok: Literal[True]
    expires_ts: int = Field(description="When the session ends at the latest, epoch ms. It ends with its key, too.")


class SessionState(ResponseModel):
    """Whether a browser is signed in, and with which key."""

    ok: Literal[True]
    signed_in: bool
    account_id: str | None = Field(description="Null: every account (operator), or not signed in.")
    scopes: list[str] = Field(description="Those of the key.")
    key: str | None = Field(description="The first characters of the key; null: not signed in.")


class EndedSessions(ResponseModel):
    """How many sessions were ended."""

    ok: Literal[True]
    ended: int


# A page that nobody has signed in to asks whether anybody has.
session = key_blueprint("session", errors=(409,), without_key=["read_session", "sign_out"])


@post(session, "/session", summary="Sign in", operation_id="signIn", responses={201: StartedSession})
def sign_in() -> Response:
    """Start a session of the key in the header: a cookie that opens what the key opens, for the dashboard.

    A key has 50 at most; the next one ends the oldest.
    """
    identity, here = current_identity(), services()
    if identity.session is not None:
        raise ApiError(409, "no_key", "a session starts no other: sign in with an API key in the header x-api-key")
    with here.database.looking_up() as connection:
        token, expires_at = sessions.start(connection, identity.key.key_id, valid_s=here.session_s)
    log_line(_log, logging.INFO, "signed in", by=identity.shown_key)
    response = as_json({"ok": True, "expires_ts": int(expires_at.timestamp() * 1000)}, _CREATED)
    hashed = sessions.token_hash(token)
    assert hashed is not None  # it has just been made
    here.known_sessions.add(hashed, identity.key_hash)
    set_session_cookie(response, request, here, token)
    return response


@get(session, "/session", summary="Show whether a browser is signed in", operation_id="readSession",
     responses={200: SessionState})  # fmt: skip
def read_session(query: NoQuery) -> Response:
    """Whether the cookie that comes with the request opens anything. Needs no key, and tells nothing without one."""
    del query
    nobody: dict[str, object] = {"ok": True, "signed_in": False, "account_id": None, "scopes": [], "key": None}
    if session_cookie(request, services()) is None:
        return as_json(nobody)
    try:
        authenticate()
    except ApiError as error:
        if error.status != 401:
            raise
        return as_json(nobody)
    key = current_identity().key
    return as_json({"ok": True, "signed_in": True, "account_id": key.account_id, "scopes": key.scopes, "key": key.hint})


@delete(session, "/session", summary="Sign out", operation_id="signOut", responses={200: EndedSessions})
def sign_out() -> Response:
    """End the session whose cookie comes with the request, also when its key opens nothing from here any more."""
    here, client = services(), request_client()
    token = session_cookie(request, here)
    if token is None or sent_key(request.headers.get(KEY_HEADER), request.headers.get("Authorization")):
        authenticate()
        raise ApiError(
            409, "no_session", "this request has a key and no session: DELETE /v1/sessions ends all of a key"
        )
    refuse_other_sites(here)
    hashed = sessions.token_hash(token)
    check_session_attempts(here, hashed, client)
    ended = False
    if hashed is not None:
        here.known_sessions.discard(hashed)
        with here.database.looking_up() as connection:
            ended = sessions.end(connection, hashed)
    if not ended:
        here.rate_limit.count_attempt(client)
    response = as_json({"ok": True, "ended": int(ended)})
    drop_session_cookie(response, request, here)
    return response


@delete(session, "/sessions", summary="Sign out everywhere", operation_id="signOutEverywhere",
        responses={200: EndedSessions})  # fmt: skip
def sign_out_everywhere() -> Response:
    """End every session of the key, whichever browser has it."""
    identity, here = current_identity(), services()
    with here.database.looking_up() as connection:
        ended = sessions.end_all(connection, identity.key.key_id)
    log_line(_log, logging.INFO, "signed out everywhere", by=identity.shown_key, sessions=ended)
    response = as_json({"ok": True, "ended": ended})
    drop_session_cookie(response, request, here)
    return response


def document_session(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document what needs no key."""
    document["paths"]["/v1/session"]["get"]["security"] = []
