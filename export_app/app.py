"""Wiring: a database becomes a WSGI application."""

from collections.abc import Collection
from importlib.metadata import version

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from export_app.auth.request import KEY_HEADER, SCHEME
from export_app.auth.views import whoami
from export_app.calls.detail import accept_any_id, detail
from export_app.calls.views import calls
from export_app.context import give_archive, give_database, give_limits, give_proxies, give_trunk_rules
from export_app.database import Database
from export_app.health import health
from export_app.pages.dashboard import dashboard
from export_app.pages.reference import reference
from export_app.stats.views import stats
from export_app.web.client_address import Network
from export_app.web.compression import compress
from export_app.web.error_handlers import handle_failures, invalid
from export_app.web.openapi import document
from export_app.web.parameters import check_names
from export_app.web.rate_limit import Limits
from export_app.web.responses import as_json
from export_app.web.schema import Failure
from tollbook.archive.reader import Archive
from tollbook.config import RATE_LIMIT
from tollbook.model.trunks import TrunkRules

_ABOUT = "The call records of a FreeSWITCH: one row per call, newest first, as JSON or CSV."

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    database: Database,
    trunk_rules: TrunkRules | None = None,
    *,
    archive: Archive,
    proxies: Collection[Network] = (),
    limits: Limits | None = None,
) -> OpenAPI:
    """Make the application; the caller opens the database, and closes both tiers. `trunk_rules` explain calls.

    `proxies` are believed when they say for whom they ask.
    """
    app = OpenAPI(
        __name__,
        info=Info(title="Tollbook", version=version("tollbook"), description=_ABOUT),
        security_schemes={
            SCHEME: {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "tollbook key create"}
        },
        validation_error_status=400,
        validation_error_model=Failure,
        validation_error_callback=invalid,
        doc_ui=False,
        static_folder=None,
    )
    give_database(app, database)
    give_archive(app, archive)
    give_trunk_rules(app, trunk_rules or TrunkRules())
    give_limits(app, limits or Limits(RATE_LIMIT))
    give_proxies(app, proxies)
    accept_any_id(app)
    handle_failures(app)
    app.before_request(_check_names)
    app.after_request(_protect)
    app.after_request(compress)
    for blueprint in (calls, detail, stats, whoami, health):
        app.register_api(blueprint)
    app.register_blueprint(dashboard)
    app.register_blueprint(reference)
    app.add_url_rule("/v1/openapi.json", view_func=lambda: as_json(document(app)), endpoint="openapi")
    return app


def _check_names() -> None:
    check_names(request.args.items(multi=True))


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
