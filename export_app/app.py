"""The WSGI application, put together from its services."""

from importlib.metadata import version

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.models.server import Server
from flask_openapi3.openapi import OpenAPI

from export_app.account.views import account
from export_app.agents.views import agents
from export_app.auth.request import (
    BEARER_SCHEME,
    KEY_HEADER,
    SCHEME,
    add_allowance,
    drop_ended_session,
    is_authenticated,
)
from export_app.auth.session_views import document_session, session
from export_app.auth.views import whoami
from export_app.calls.detail import accept_any_id, detail
from export_app.calls.doubts import doubts
from export_app.calls.unrated import unrated
from export_app.calls.views import calls
from export_app.context import Services, services, set_services
from export_app.health import health
from export_app.names.views import names
from export_app.now.feeds import Feeds, set_feeds
from export_app.now.figures import NowBoard
from export_app.now.links import wallboard
from export_app.now.views import now
from export_app.pages.dashboard import dashboard
from export_app.pages.reference import reference
from export_app.queues.views import queues
from export_app.statements.views import statements
from export_app.stats.views import stats
from export_app.web.compression import compress
from export_app.web.error_handlers import parameter_error_response, register_error_handlers
from export_app.web.measured import ROUTE
from export_app.web.openapi import document
from export_app.web.parameters import check_names
from export_app.web.problem import document_problems
from export_app.web.responses import as_json
from export_app.web.schema import ErrorResponse
from export_app.web.security_headers import secure
from export_app.webhooks.views import name_webhooks, webhooks

_ABOUT = "The call records of a FreeSWITCH: one row per call, newest first, as JSON or CSV."


def create_app(made: Services) -> OpenAPI:
    """Make the application. Whoever made the services opens and closes them."""
    app = OpenAPI(
        __name__,
        info=Info(title="Tollbook", version=version("tollbook"), description=_ABOUT),
        security_schemes={
            SCHEME: {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "tollbook key create"},
            BEARER_SCHEME: {"type": "http", "scheme": "bearer", "description": "The same key."},
        },
        validation_error_status=400,
        validation_error_model=ErrorResponse,
        validation_error_callback=parameter_error_response,
        doc_ui=False,
        static_folder=None,
    )
    if made.api_url:
        app.severs = [Server(url=made.api_url)]
    set_services(app, made)
    set_feeds(app, Feeds(NowBoard(made.database, made.statements.zone), made.database))
    accept_any_id(app)
    name_webhooks(app)
    register_error_handlers(app, made.outages)
    app.before_request(_check_names)
    app.after_request(_note_outcome)
    app.after_request(add_allowance)
    app.after_request(drop_ended_session)
    app.after_request(_secure)
    app.after_request(compress)
    for blueprint in (
        calls, detail, doubts, unrated, stats, names, queues, agents, now, wallboard, statements, account, webhooks,
        session, whoami, health,
    ):  # fmt: skip
        app.register_api(blueprint)
    app.register_blueprint(dashboard)
    app.register_blueprint(reference)
    document_problems(document(app))
    document_session(document(app))
    app.add_url_rule("/v1/openapi.json", view_func=lambda: as_json(document(app)), endpoint="openapi")
    return app


def _note_outcome(response: Response) -> Response:
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule
    if response.status_code < 500 and is_authenticated():
        services().outages.database_answers()
    return response


def _secure(response: Response) -> Response:
    return secure(response, request, services().trusted_proxies)


def _check_names() -> None:
    check_names(request.args.items(multi=True))
