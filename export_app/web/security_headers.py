"""The headers that tell browsers what no page of another site may do with a response."""

from collections.abc import Collection
from typing import Final

from flask import Request, Response

from export_app.web.client_address import Network, is_among, parse_address

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
# A year. Not for subdomains, of which we know nothing.
_HTTPS_ONLY: Final = "max-age=31536000"


def secure(response: Response, request: Request, proxies: Collection[Network]) -> Response:
    """Add the headers that a response does not have yet.

    A browser is asked to use https from now on only where one of `proxies` says, in X-Forwarded-Proto, that it does:
    we speak plain HTTP, and would otherwise lock out whoever has no TLS.
    """
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https(request, proxies):
        response.headers["Strict-Transport-Security"] = _HTTPS_ONLY
    return response


def is_https(request: Request, proxies: Collection[Network]) -> bool:
    """Return whether one of `proxies` says, in X-Forwarded-Proto, that the client speaks https."""
    peer = parse_address(request.remote_addr or "")
    return bool(peer and is_among(peer, proxies)) and request.headers.get("X-Forwarded-Proto") == "https"
