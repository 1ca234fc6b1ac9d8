"""The cookie that holds the token of a session: no script reads it, and no page of another site sends it."""

from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response

from export_app.context import Services
from export_app.web.security_headers import is_https

_NAME: Final = "tollbook_session"
# Browsers take this prefix only of a Secure cookie of the host itself: no other name of the domain can set it.
_SECURE_NAME: Final = f"__Host-{_NAME}"


def session_cookie(request: Request, here: Services) -> str | None:
    """Return the token that the request brings, None without one."""
    return request.cookies.get(_SECURE_NAME if _over_https(request, here) else _NAME)


def set_session_cookie(response: Response, request: Request, here: Services, token: str) -> None:
    """Let the browser keep a token until it closes; Secure where it speaks https."""
    secure = _over_https(request, here)
    response.set_cookie(
        _SECURE_NAME if secure else _NAME, token, path="/", secure=secure, httponly=True, samesite="Strict"
    )


def drop_session_cookie(response: Response, request: Request, here: Services) -> None:
    """Let the browser forget the token."""
    secure = _over_https(request, here)
    response.delete_cookie(_SECURE_NAME if secure else _NAME, path="/", secure=secure, httponly=True, samesite="Strict")


def _over_https(request: Request, here: Services) -> bool:
    """Whether the browser speaks https: a trusted web server says so, or the settings do of this host."""
    if is_https(request, here.trusted_proxies):
        return True
    ours = urlsplit(here.api_url)
    return ours.scheme == "https" and ours.netloc.lower() == request.host.lower()
