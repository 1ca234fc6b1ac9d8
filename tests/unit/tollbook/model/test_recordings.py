"""What is shown of a recording: where it is, to operators; where they find it below the root, to tenants; its URL."""

import json
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.recordings import RecordingPaths

URL = "https://media.example/calls/{path}?v=1"


def shown(path: str, *, whole: bool = False, root: str | None = None, url: str | None = URL) -> tuple[str, str]:
    (recording,) = json.loads(RecordingPaths(root=root, url=url).shown(json.dumps([path]), whole=whole))
    return recording["path"], recording["url"]


@pytest.mark.parametrize(
    ("root", "path", "below", "address"),
    [
        (None, "/var/lib/freeswitch/recordings/acme/a.wav", "acme/a.wav", "acme/a.wav"),
        (None, "/var/lib/freeswitch/recordings/recordings/a.wav", "recordings/a.wav", "recordings/a.wav"),
        (None, "/usr/local/freeswitch/recordings//a b.wav", "a b.wav", "a%20b.wav"),
        ("/srv/media/", "/srv/media/acme/ü?#%2e.wav", "acme/ü?#%2e.wav", "acme/%C3%BC%3F%23%252e.wav"),
        ("/srv/media", "/srv/media/a&b=c;d+e@f:g.wav", "a&b=c;d+e@f:g.wav", "a%26b%3Dc%3Bd%2Be%40f%3Ag.wav"),
        ("/", "/a/b.wav", "a/b.wav", "a/b.wav"),
    ],
)
def test_what_is_below_the_root_has_an_address(root: str | None, path: str, below: str, address: str) -> None:
    """Each segment percent-encoded; operators see the path as the switch states it, and the same address."""
    url = f"https://media.example/calls/{address}?v=1"
    assert shown(path, root=root) == (below, url)
    assert shown(path, root=root, whole=True) == (path, url)
    assert shown(path, root=root, url=None) == (below, None)


@pytest.mark.parametrize(
    ("root", "path", "name"),
    [
        (None, "/var/spool/a.wav", "a.wav"),
        (None, "/var/lib/freeswitch/recordings", "recordings"),
        (None, "recordings/a.wav", "a.wav"),
        (None, "/x/recordings/../../etc/passwd", "passwd"),
        (None, "/x/recordings/./a.wav", "a.wav"),
        (None, "/x/recordings/..", ".."),
        (None, "/x/recordings/..\\..\\a.wav", "a.wav"),
        (None, "/x/recordings/the beginning…the end.wav", "the beginning…the end.wav"),
        ("/srv/media", "/srv/media2/a.wav", "a.wav"),
        ("/srv/media", "/srv/media", "media"),
        ("/srv/media", "/srv/media/../secret.wav", "secret.wav"),
        ("/srv/media", "C:\\recordings\\a.wav", "a.wav"),
        ("/srv/media", "", ""),
        (None, "http_cache://user:secret@host/recordings/a.wav", None),
        (None, "shout://source:secret@host", None),
        ("/", "javascript:alert(1)", None),
    ],
)
def test_what_is_elsewhere_has_none(root: str | None, path: str, name: str | None) -> None:
    """A tenant sees the name of a file alone, and nothing of a path with a scheme, which may hold a password."""
    assert shown(path, root=root) == (name, None)
    assert shown(path, root=root, whole=True) == (path, None)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from([None, "/", "/x/recordings"]))
def test_no_path_leads_out_of_the_address(text: str, root: str | None) -> None:
    """Whatever it holds: the host, the folder and the query stay, and no segment leads upwards."""
    _, url = shown(f"/x/recordings/{text}", root=root)
    if url is not None:
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "media.example", "v=1", "")
        segments = parts.path.split("/")
        assert segments[:2] == ["", "calls"]
        assert not {"", ".", ".."} & {unquote(segment) for segment in segments[2:]}
        assert url.isascii()
