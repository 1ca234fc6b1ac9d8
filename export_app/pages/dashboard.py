"""The dashboard at `/`: a page of our own files that reads the API with the visitor's key. It needs none itself."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory

_PAGE: Final = Path(__file__).with_name("dashboard_page")

# Only our own files, nothing inline, and nothing that parses text as HTML: callers choose names and numbers.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

dashboard = Blueprint("dashboard", __name__)


@dashboard.get("/")
def page() -> Response:
    """Give the page."""
    return _own("index.html")


@dashboard.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Give a script, the style or the picture of the page."""
    return _own(name)


def _own(name: str) -> Response:
    # Asked for anew each time, and mostly answered with 304: a new version is never mixed with an old one's files.
    response = send_from_directory(_PAGE, name, max_age=0)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
