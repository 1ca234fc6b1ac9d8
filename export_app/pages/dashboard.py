"""The dashboard at `/`: a static page that calls the API with the visitor's key. The page itself needs no key."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory

_FILES: Final = Path(__file__).with_name("dashboard_page")

# Only our own files, nothing inline, and no parsing of text as HTML, because callers choose names and numbers.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

dashboard = Blueprint("dashboard", __name__)


@dashboard.get("/")
def page() -> Response:
    """Return the page."""
    return _send("index.html")


@dashboard.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Return a script, the stylesheet or the icon of the page."""
    return _send(name)


def _send(name: str) -> Response:
    # The browser revalidates each file, mostly with a 304, so that files of two versions are never mixed.
    response = send_from_directory(_FILES, name, max_age=0)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
