"""Every error as JSON: `ok` false, a code, and a message that says what to do."""

import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from export_app.outages import Outages
from export_app.web import problem
from export_app.web.errors import ApiError
from export_app.web.measured import ERROR_CODE
from export_app.web.parameters import parameter_error
from export_app.web.responses import as_json, error_body
from tollbook.errors import (
    ArchiveDamaged,
    ArchiveError,
    ArchiveLost,
    DataError,
    EngineBusy,
    EngineUnavailable,
    QuestionTooLarge,
    Retryable,
    SchemaError,
)
from tollbook.log import Outage, log_line

_log = logging.getLogger("tollbook.serve")

RETRY_AFTER_S: Final = 5

_HTTP_MESSAGES: Final = {
    404: "there is nothing at this address: /v1/openapi.json lists what there is",
    405: "this resource does not allow this method: the header Allow names those that it does",
}


def register_error_handlers(app: Flask, outages: Outages) -> None:
    """Let the application respond to every error as JSON; what is out of reach or damaged is logged as an outage."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ArchiveError, partial(_archive_error, outages.archive))
    app.register_error_handler(ArchiveDamaged, partial(_archive_damaged, outages.damage))
    app.register_error_handler(ArchiveLost, partial(_archive_damaged, outages.archive))
    app.register_error_handler(QuestionTooLarge, _question_too_large)
    app.register_error_handler(EngineBusy, _engine_busy)
    app.register_error_handler(EngineUnavailable, partial(_engine_unavailable, outages.engine))
    app.register_error_handler(DataError, _data_error)
    app.register_error_handler(Retryable, partial(_unavailable, outages.database))
    app.register_error_handler(SchemaError, partial(_unavailable, outages.database))
    app.register_error_handler(Exception, _internal_error)


def parameter_error_response(error: ValidationError) -> Response:
    """Respond to a request whose parameters do not fit their model."""
    return _api_error(parameter_error(error))


def _error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    request.environ[ERROR_CODE] = code
    if problem.is_wanted(request.accept_mimetypes):
        response = as_json(problem.problem_body(status, code, message), status)
        response.content_type = problem.MEDIA_TYPE
    else:
        response = as_json(error_body(code, message), status)
    response.vary.add("Accept")
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


def _unavailable(outage: Outage, error: Retryable | SchemaError) -> Response:
    outage.fail(logging.ERROR, "cannot serve requests", reason=error)
    return _error_response(
        503,
        "unavailable",
        f"the database is unavailable or too slow: try again in {RETRY_AFTER_S} seconds, and with a smaller limit"
        " if that does not help",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _archive_error(outage: Outage, error: ArchiveError) -> Response:
    outage.fail(logging.ERROR, "cannot serve archived calls", reason=error)
    return _error_response(
        503,
        "archive_unavailable",
        "these calls are older than the days that PostgreSQL keeps, and the archive cannot be read at the moment:"
        f" try again in {RETRY_AFTER_S} seconds, or ask for newer calls with a later since",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _archive_damaged(outage: Outage, error: ArchiveDamaged | ArchiveLost) -> Response:
    outage.fail(logging.ERROR, "cannot serve archived calls", reason=error)
    return _error_response(
        500,
        "archive_damaged",
        "these calls are older than the days that PostgreSQL keeps, and a file of the archive is missing or damaged:"
        " trying again does not help until the operator has healed it (the server's log names the file); newer calls,"
        " with a later since, can be read",
    )


def _question_too_large(error: QuestionTooLarge) -> Response:
    return _error_response(422, "question_too_large", str(error))


def _engine_busy(error: EngineBusy) -> Response:
    del error  # not logged, as no other limit that requests meet: the access log has them, and a metric counts them
    return _error_response(
        429,
        "too_many_at_once",
        "as many sums of archived calls as may be are being computed, for other accounts:"
        f" try again in {RETRY_AFTER_S} seconds, or ask for newer calls with a later since",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _engine_unavailable(outage: Outage, error: EngineUnavailable) -> Response:
    outage.fail(logging.ERROR, "cannot compute sums of archived calls", reason=error)
    return _error_response(
        503,
        "engine_unavailable",
        "these sums need calls that are older than the days that PostgreSQL keeps, and the server that computes them"
        f" (TOLLBOOK_ENGINE) does not answer: try again in {RETRY_AFTER_S} seconds, or ask for newer calls with a later"
        " since",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _internal_error(error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    message = "this is a fault of the server, whose log has the details: tell the operator when it happened"
    return _error_response(500, "internal_error", message)
