"""Which requests may use the cookie that they bring."""

import pytest

from export_app.auth.same_origin import is_own_request


@pytest.mark.parametrize(
    ("method", "fetch_site", "origin", "own"),
    [
        ("GET", None, None, True),
        ("GET", "same-origin", None, True),
        ("GET", "none", None, True),
        ("GET", "same-site", None, False),
        ("GET", "cross-site", None, False),
        ("POST", "same-origin", "https://evil.example", True),
        ("POST", "none", "https://calls.example:8443", False),
        ("POST", "same-site", "https://calls.example:8443", False),
        ("POST", "cross-site", "https://calls.example:8443", False),
        ("POST", None, "https://calls.example:8443", True),
        ("DELETE", None, "http://CALLS.example:8443", True),
        ("DELETE", None, "https://calls.example", False),
        ("DELETE", None, "https://public.example", True),
        ("POST", None, "null", False),
        ("POST", None, "https://[::1", False),
        ("POST", None, "file://calls.example:8443", False),
        ("POST", None, None, False),
        ("PROPFIND", None, None, False),
    ],
)
def test_only_our_own_pages_use_the_cookie(method: str, fetch_site: str | None, origin: str | None, own: bool) -> None:
    """What changes something must say that it is our page's; another port of the same host is not ours."""
    found = is_own_request(
        method, fetch_site=fetch_site, origin=origin, host="calls.example:8443", api_url="https://public.example/x"
    )
    assert found == own


def test_no_host_is_nobodys() -> None:
    """An Origin that names no host is not ours, whatever Host is left out."""
    assert not is_own_request("POST", fetch_site=None, origin="null", host="", api_url="")
