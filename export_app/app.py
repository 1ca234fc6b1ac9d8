"""The WSGI application, put together from its services."""

from importlib.metadata import version

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from export_app.auth.request import KEY_HEADER, SCHEME
from export_app.auth.views import whoami
from export_app.calls.detail import accept_any_id, detail
from export_app.calls.views import calls
from export_app.context import Services, services, set_services
from export_app.health import health
from export_app.pages.dashboard import dashboard
from export_app.pages.reference import reference
from export_app.stats.views import stats
from export_app.web.compression import compress
from export_app.web.error_handlers import parameter_error_response, register_error_handlers
from export_app.web.openapi import document
from export_app.web.parameters import check_names
from export_app.web.responses import as_json
from export_app.web.schema import ErrorResponse
from export_app.web.security_headers import secure

_ABOUT = "The call records of a FreeSWITCH: one row per call, newest first, as JSON or CSV."


def create_app(made: Services) -> OpenAPI:
    """Make the application. Whoever made the services opens and closes them."""
    app = OpenAPI(
        __name__,
        info=Info(title="Tollbook", version=version("tollbook"), description=_ABOUT),
        security_schemes={
            SCHEME: {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "tollbook key create"}
        },
        validation_error_status=400,
        validation_error_model=ErrorResponse,
        validation_error_callback=parameter_error_response,
        doc_ui=False,
        static_folder=None,
    )
    set_services(app, made)
    accept_any_id(app)
    register_error_handlers(app)
    app.before_request(_check_names)
    app.after_request(_secure)
    app.after_request(compress)
    for blueprint in (calls, detail, stats, whoami, health):
        app.register_api(blueprint)
    app.register_blueprint(dashboard)
    app.register_blueprint(reference)
    app.add_url_rule("/v1/openapi.json", view_func=lambda: as_json(document(app)), endpoint="openapi")
    return app


def _secure(response: Response) -> Response:
    return secure(response, request, services().trusted_proxies)


def _check_names() -> None:
    check_names(request.args.items(multi=True))
