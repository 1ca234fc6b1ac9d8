"""The dashboard at `/` and its wallboard: static pages that call the API. The pages themselves need no key."""

import re
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory

from export_app.context import services

_FILES: Final = Path(__file__).with_name("dashboard_page")

# Only our own files, nothing inline, and no parsing of text as HTML, because callers choose names and numbers.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

# Where TOLLBOOK_RECORDINGS_URL leads: the page of a call plays recordings from there. Nothing else fits into a policy.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?=/)")

dashboard = Blueprint("dashboard", __name__)


@dashboard.get("/")
def page() -> Response:
    """Return the page."""
    return _send("index.html")


@dashboard.get("/wallboard")
def wallboard() -> Response:
    """Return the page for a screen on the wall. What it shows, and a link's token, are behind the # of its address."""
    return _send("wallboard.html")


@dashboard.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Return a script, the stylesheet or the icon of the page."""
    return _send(name)


def _send(name: str) -> Response:
    # The browser revalidates each file, mostly with a 304, so that files of two versions are never mixed.
    response = send_from_directory(_FILES, name, max_age=0)
    recordings = _ORIGIN.match(services().recordings.url or "")
    response.headers["Content-Security-Policy"] = _POLICY + (f"; media-src {recordings[0]}" if recordings else "")
    return response
