"""Every error as JSON: `ok` false, a code, and a message that says what to do."""

import logging
import re
from collections.abc import Mapping
from typing import Final

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from export_app.web.errors import ApiError
from export_app.web.parameters import parameter_error
from export_app.web.responses import as_json, error_body
from tollbook.errors import ArchiveError, DataError, Retryable, SchemaError
from tollbook.log import log_line

_log = logging.getLogger("tollbook.serve")

RETRY_AFTER_S: Final = 5

_HTTP_MESSAGES: Final = {
    404: "there is nothing at this address: /v1/openapi.json lists what there is",
    405: "this resource does not allow this method: the header Allow names those that it does",
}


def register_error_handlers(app: Flask) -> None:
    """Let the application respond to every error as JSON."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ArchiveError, _archive_error)
    app.register_error_handler(DataError, _data_error)
    app.register_error_handler(Retryable, _unavailable)
    app.register_error_handler(SchemaError, _unavailable)
    app.register_error_handler(Exception, _internal_error)


def parameter_error_response(error: ValidationError) -> Response:
    """Respond to a request whose parameters do not fit their model."""
    return _api_error(parameter_error(error))


def _error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    response = as_json(error_body(code, message), status)
    response.headers.extend(headers or {})
    return response


def _api_error(error: ApiError) -> Response:
    return _error_response(error.status, error.code, error.message, error.headers)


def _data_error(error: DataError) -> Response:
    log_line(_log, logging.WARNING, "the database rejected a value", reason=error)
    message = "the database does not accept a value of this request: no call can have it, so leave it out"
    return _error_response(400, "bad_parameter", message)


def _http_error(error: HTTPException) -> Response:
    code = re.sub("[^a-z]+", "_", error.name.lower()).strip("_")
    status = error.code or 500
    message = _HTTP_MESSAGES.get(status, error.description or error.name)
    # Keep Allow, which a 405 needs, but not the headers of the HTML page that werkzeug would have sent.
    kept = {name: value for name, value in error.get_headers() if not name.lower().startswith("content-")}
    return _error_response(status, code, message, kept)


def _unavailable(error: Retryable | SchemaError) -> Response:
    log_line(_log, logging.ERROR, "cannot serve a request", reason=error)
    return _error_response(
        503,
        "unavailable",
        f"the database is unavailable or too slow: try again in {RETRY_AFTER_S} seconds, and with a smaller limit"
        " if that does not help",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _archive_error(error: ArchiveError) -> Response:
    log_line(_log, logging.ERROR, "cannot serve a request", reason=error)
    return _error_response(
        503,
        "archive_unavailable",
        "these calls are older than the days that PostgreSQL keeps, and the archive cannot be read at the moment:"
        f" try again in {RETRY_AFTER_S} seconds, or ask for newer calls with a later since",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _internal_error(error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    message = "this is a fault of the server, whose log has the details: tell the operator when it happened"
    return _error_response(500, "internal_error", message)
