"""Whether a request that brings a cookie was made by our own page. Pure.

A browser adds a cookie to whatever is sent to us, and SameSite=Strict keeps only other sites from it: another port, or
another name of the same domain, is the same site. What a browser says itself of who asks, no page can forge.
"""

from typing import Final
from urllib.parse import urlsplit

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FROM_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})


def is_own_request(
    method: str, *, fetch_site: str | None, origin: str | None, host: str, api_url: str | None = None
) -> bool:
    """Return whether a request may use its cookie.

    `fetch_site`, `origin`, `host`: the headers Sec-Fetch-Site, Origin and Host; `api_url`: where clients find us,
    behind a web server that passes on another Host. What changes something must say where it comes from; what reads
    must not say that it comes from elsewhere: of a page's own GET over plain HTTP browsers tell nothing.
    """
    if method in _READING:
        return fetch_site not in _FROM_ELSEWHERE
    if fetch_site is not None:
        return fetch_site == "same-origin"
    ours = {host.lower(), _place(api_url or "")} - {""}
    return origin is not None and _place(origin) in ours


def _place(url: str) -> str:
    """Return host and port of an address in http, without the port that it has anyway; empty: it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""
