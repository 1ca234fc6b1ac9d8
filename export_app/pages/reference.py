"""`/v1/docs`: the OpenAPI document as a page to read and to try out. Swagger UI comes with flask-openapi3-swagger."""

from pathlib import Path
from typing import Final

import flask_openapi3_swagger
from flask import Blueprint, Response, send_from_directory

_PAGE: Final = Path(__file__).with_name("reference_page")
_SWAGGER: Final = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

# Swagger UI makes style attributes and pictures of its own; scripts are files of ours or of its package.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

reference = Blueprint("reference", __name__, url_prefix="/v1/docs")


@reference.get("/")
def page() -> Response:
    """Give the page."""
    return _guarded(send_from_directory(_PAGE, "index.html", max_age=0))


@reference.get("/own/<path:name>")
def own(name: str) -> Response:
    """Give a file of ours."""
    return _guarded(send_from_directory(_PAGE, name, max_age=0))


@reference.get("/swagger/<path:name>")
def swagger(name: str) -> Response:
    """Give a file of Swagger UI."""
    return _guarded(send_from_directory(_SWAGGER, name, max_age=86_400))


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response
