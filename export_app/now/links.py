"""`/v1/wallboard/links`: operators let somebody without a key watch one queue of one account, for some days."""

import logging
from typing import Final

from flask import Response

from export_app.auth.identity import Identity
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.now.schema import CreatedLink, DeletedLink, LinkList, LinkPath, NewLink
from export_app.web.errors import ApiError
from export_app.web.openapi import delete, get, post
from export_app.web.parameters import NoQuery
from export_app.web.responses import as_json
from tollbook.log import log_line
from tollbook.model.scopes import OPERATOR
from tollbook.store import wallboard_links
from tollbook.store.wallboard_links import MAX_LINKS, WallboardLink
from tollbook.times import SECONDS_PER_DAY

_log = logging.getLogger("tollbook.serve")

_CREATED: Final = 201

wallboard = key_blueprint("wallboard", errors=(404, 409))


@get(wallboard, "/wallboard/links", summary="List links", operation_id="listLinks", responses={200: LinkList})
def list_links(query: NoQuery) -> Response:
    """The links to wallboards that show something, without their tokens. For operators' keys."""
    del query
    _operator()
    with services().database.looking_up() as connection:
        found = wallboard_links.every(connection)
    return as_json({"ok": True, "count": len(found), "links": [_shown(link) for link in found]})


@post(wallboard, "/wallboard/links", summary="Make a link", operation_id="createLink", responses={201: CreatedLink})
def create_link(body: NewLink) -> Response:
    """Make a link to the wallboard of one queue. It ends after these days, and with the key that made it."""
    identity = _operator()
    with services().database.looking_up() as connection:
        try:
            made = wallboard_links.create(
                connection, key_id=identity.key.key_id, account_id=body.account, queue_id=body.queue_id,
                valid_s=body.days * SECONDS_PER_DAY,
            )  # fmt: skip
        except LookupError as error:
            raise ApiError(
                404, "unknown_account", "there is no such account: `tollbook account list` has all"
            ) from error
    if made is None:
        raise ApiError(409, "too_many_links", f"there are {MAX_LINKS} links already: delete one that nobody needs")
    link, token = made
    log_line(_log, logging.INFO, "wallboard link made", link=link.link_id, by=identity.shown_key)
    return as_json({"ok": True, **_shown(link), "token": token}, _CREATED)


@delete(wallboard, "/wallboard/links/<int:id>", summary="Delete a link", operation_id="deleteLink",
        responses={200: DeletedLink})  # fmt: skip
def delete_link(path: LinkPath) -> Response:
    """Delete a link: within seconds it shows nothing any more."""
    identity = _operator()
    with services().database.looking_up() as connection:
        if not wallboard_links.delete(connection, path.id):
            raise ApiError(404, "no_link", "there is no such link: GET /v1/wallboard/links lists all")
    log_line(_log, logging.INFO, "wallboard link deleted", link=path.id, by=identity.shown_key)
    return as_json({"ok": True, "id": path.id})


def _operator() -> Identity:
    identity = current_identity()
    identity.require(OPERATOR)
    return identity


def _shown(link: WallboardLink) -> dict[str, object]:
    return {
        "id": link.link_id,
        "account_id": link.account_id,
        "queue_id": link.queue_id,
        "created_ts": int(link.created_at.timestamp() * 1000),
        "expires_ts": int(link.expires_at.timestamp() * 1000),
    }
