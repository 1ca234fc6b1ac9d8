"""`/v1/webhooks`: list, make, test and delete the endpoints of the key's account; for operators those of operators."""

import datetime as dt
import logging
from typing import Final

import msgspec
from flask import Flask, Response
from werkzeug.routing import BaseConverter

from export_app.auth.identity import Identity
from export_app.auth.request import current_identity, key_blueprint
from export_app.context import services
from export_app.web.errors import ApiError
from export_app.web.openapi import delete, get, post
from export_app.web.parameters import NoQuery
from export_app.web.responses import as_json
from export_app.webhooks.schema import (
    CreatedWebhook,
    DeletedWebhook,
    NewWebhook,
    TestedWebhooks,
    WebhookId,
    WebhookList,
    WebhookPath,
    events_text,
)
from tollbook.errors import UsageError
from tollbook.log import log_line
from tollbook.model.endpoints import (
    check_secret,
    check_url,
    new_secret,
    parse_events,
    standard_secret,
    webhook_name,
    webhook_number,
)
from tollbook.model.scopes import WEBHOOKS
from tollbook.store.events import webhooks as store
from tollbook.store.events.webhooks import MAX_ENDPOINTS, Webhook

_log = logging.getLogger("tollbook.serve")

_CREATED: Final = 201

webhooks = key_blueprint("webhooks", errors=(404, 409))


class _WebhookName(BaseConverter):
    """`wh_17`, and not `test`."""

    regex = "wh_[1-9][0-9]{0,17}"


def name_webhooks(app: Flask) -> None:
    """Let routes of this app name endpoints. Call before they are registered."""
    app.url_map.converters["webhook"] = _WebhookName


@get(webhooks, "/webhooks", summary="List endpoints", operation_id="listWebhooks", responses={200: WebhookList})
def list_webhooks(query: NoQuery) -> Response:
    """The endpoints of the key's account, without their secrets, and how they take what they are sent."""
    del query
    identity = _allowed()
    with services().database.reading(identity.accounts) as connection:
        found = store.list_own(connection, identity.key.account_id)
        shown = [_shown(webhook, store.count_waiting(connection, webhook.webhook_id)) for webhook in found]
    return as_json({"ok": True, "count": len(shown), "webhooks": shown})


@post(webhooks, "/webhooks", summary="Make an endpoint", operation_id="createWebhook", responses={201: CreatedWebhook})
def create_webhook(body: NewWebhook) -> Response:
    """Make an endpoint. Its secret is in this answer and in no other."""
    identity = _allowed()
    secret = new_secret() if body.secret is None else body.secret
    try:
        check_url(body.url, private_allowed=bool(services().webhook_private))
        check_secret(secret)
        events = parse_events(body.events)
    except ValueError as error:
        raise ApiError(400, "bad_parameter", str(error)) from error
    with services().database.writing(identity.accounts) as connection:
        made = store.create(
            connection, account_id=identity.key.account_id, url=body.url, events=events, secret=secret,
            created_by=identity.shown_key,
        )  # fmt: skip
    if made is None:
        raise ApiError(
            409, "too_many_webhooks", f"there are {MAX_ENDPOINTS} endpoints already: delete one that is not used"
        )
    log_line(_log, logging.INFO, "endpoint made", endpoint=webhook_name(made.webhook_id), by=identity.shown_key)
    shown = {"ok": True, **_shown(made, 0), "secret": secret, "standard_secret": standard_secret(secret)}
    return as_json(shown, _CREATED)


@delete(webhooks, "/webhooks", summary="Delete an endpoint", operation_id="deleteWebhook",
        responses={200: DeletedWebhook})  # fmt: skip
def delete_webhook(body: WebhookId) -> Response:
    """Delete the endpoint with this id: nothing more is sent to it."""
    return _delete(str(body.id))


@delete(webhooks, "/webhooks/<webhook:id>", summary="Delete the endpoint of a path", operation_id="deleteWebhookById",
        responses={200: DeletedWebhook})  # fmt: skip
def delete_webhook_by_id(path: WebhookPath) -> Response:
    """Delete the endpoint with this id: nothing more is sent to it."""
    return _delete(path.id)


@post(webhooks, "/webhooks/test", summary="Test all endpoints", operation_id="testWebhooks",
      responses={200: TestedWebhooks})  # fmt: skip
def test_webhooks() -> Response:
    """Send a `test` event to every endpoint of the key's account that is on, and for which no test waits."""
    identity = _allowed()
    with services().database.writing(identity.accounts) as connection:
        found = [one for one in store.list_own(connection, identity.key.account_id) if one.disabled_at is None]
        sent = [event_id for webhook in found if (event_id := store.note_test(connection, webhook)) is not None]
    return as_json({"ok": True, "sent": len(sent), "event_ids": sent})


@post(webhooks, "/webhooks/<webhook:id>/test", summary="Test an endpoint", operation_id="testWebhook",
      responses={200: TestedWebhooks})  # fmt: skip
def test_webhook(path: WebhookPath) -> Response:
    """Send a `test` event to one endpoint. One at a time waits for it."""
    identity = _allowed()
    with services().database.writing(identity.accounts) as connection:
        try:
            (webhook,) = _own([store.find(connection, _number(path.id))], identity)
        except (UsageError, ValueError) as error:
            raise _not_found(path.id) from error
        if webhook.disabled_at is not None:
            raise ApiError(409, "webhook_off", f"it is off: {webhook.disabled_why}; the operator switches it on")
        sent = store.note_test(connection, webhook)
    if sent is None:
        raise ApiError(409, "test_waits", f"a test waits for {path.id} already: GET /v1/webhooks has its last error")
    return as_json({"ok": True, "sent": 1, "event_ids": [sent]})


def _allowed() -> Identity:
    identity = current_identity()
    identity.require(WEBHOOKS)
    return identity


def _own(found: list[Webhook], identity: Identity) -> list[Webhook]:
    """Leave out, for an operator, the endpoints of accounts: those are the accounts' own business."""
    return [webhook for webhook in found if webhook.kind == "webhook" and webhook.account_id == identity.key.account_id]


def _delete(name: str) -> Response:
    identity = _allowed()
    number = _number(name)
    with services().database.writing(identity.accounts) as connection:
        try:
            (webhook,) = _own([store.find(connection, number)], identity)
        except (UsageError, ValueError) as error:
            raise _not_found(name) from error
        store.delete(connection, webhook.webhook_id, deleted_by=identity.shown_key)
    log_line(_log, logging.INFO, "endpoint deleted", endpoint=webhook_name(number), by=identity.shown_key)
    return as_json({"ok": True, "id": webhook_name(number)})


def _number(name: str) -> int:
    number = webhook_number(name)
    if number is None:
        raise _not_found(name)
    return number


def _not_found(name: str) -> ApiError:
    return ApiError(404, "no_webhook", f"there is no endpoint {name[:40]!r}: GET /v1/webhooks lists yours")


def _shown(webhook: Webhook, waiting: int) -> dict[str, msgspec.Raw | object]:
    return {
        "id": webhook_name(webhook.webhook_id),
        "account_id": webhook.account_id,
        "url": webhook.url,
        "events": events_text(webhook.events),
        "active": webhook.disabled_at is None,
        "why": webhook.disabled_why,
        "created_ts": _ms(webhook.created_at),
        "failing_since_ts": _ms(webhook.failing_since),
        "delivered_ts": _ms(webhook.delivered_at),
        "last_error": webhook.last_error,
        "delivered": webhook.delivered,
        "failed": webhook.failed,
        "dead": webhook.dead,
        "waiting": waiting,
    }


def _ms(when: dt.datetime | None) -> int | None:
    return None if when is None else int(when.timestamp() * 1000)
