"""`/v1/docs`: the OpenAPI document in Swagger UI, to read and try out. The files are flask-openapi3-swagger's."""

from pathlib import Path
from typing import Final

import flask_openapi3_swagger
from flask import Blueprint, Response, send_from_directory

from tollbook.times import SECONDS_PER_DAY

_FILES: Final = Path(__file__).with_name("reference_page")
_SWAGGER_FILES: Final = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

# Swagger UI writes style attributes and data: images; scripts are our files or its own.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

reference = Blueprint("reference", __name__, url_prefix="/v1/docs")


@reference.get("")
def without_slash() -> Response:
    """Redirect to the page. Relative: werkzeug's own redirect would name the host that the client says it asked."""
    return Response(status=308, headers={"Location": "docs/"})


@reference.get("/")
def page() -> Response:
    """Return the page."""
    return _with_policy(send_from_directory(_FILES, "index.html", max_age=0))


@reference.get("/own/<path:name>")
def own(name: str) -> Response:
    """Return one of our files."""
    return _with_policy(send_from_directory(_FILES, name, max_age=0))


@reference.get("/swagger/<path:name>")
def swagger(name: str) -> Response:
    """Return a file of Swagger UI."""
    return _with_policy(send_from_directory(_SWAGGER_FILES, name, max_age=SECONDS_PER_DAY))


def _with_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response
