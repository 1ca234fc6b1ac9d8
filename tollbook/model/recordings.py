"""What is shown of a recording: its path, and the address at which a web server of the operator has it. Pure.

Paths come from the switch, where a dialplan makes them of what callers and far ends say: nothing in one is believed.
"""

import re
from typing import Final
from urllib.parse import quote

import msgspec

from tollbook.model.event import CUT_MARK

#: What TOLLBOOK_RECORDINGS_URL has in the place of a path.
PLACEHOLDER: Final = "{path}"

# FreeSWITCH's own folder of recordings has this name, wherever it is installed.
_USUAL_FOLDER: Final = "recordings"
# `http_cache://…`, `shout://source:password@…`: a module of the switch writes there, and no file. One letter alone is a
# drive of Windows.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:")


class Recording(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A recording as it is shown. `path` is None for a tenant where it is no file; `url` None where there is none."""

    path: str | None
    url: str | None


class RecordingPaths(msgspec.Struct, frozen=True, kw_only=True):
    """How paths are shown: `root` is the folder on the switch below which a path is shown to tenants, and is served.

    Without `root` it is the first folder of a path with the name `recordings`. `url` has `{path}` where the path below
    the root goes; None: there is no such server.
    """

    root: str | None = None
    url: str | None = None

    def shown(self, paths: str, *, whole: bool) -> str:
        """Return recordings, a JSON array of paths, as a JSON array of `Recording`.

        `whole`: paths as the switch states them, as an operator sees them. Otherwise they begin below the root, and one
        that is not below it is its file's name alone.
        """
        return _encode([self.recording(path, whole=whole) for path in _decode(paths)]).decode()

    def recording(self, path: str, *, whole: bool) -> Recording:
        """Return a recording as it is shown; `whole` as of `shown`."""
        below = self._below(path)
        url = None
        if below is not None and self.url is not None:
            url = self.url.replace(PLACEHOLDER, "/".join(quote(segment, safe="") for segment in below))
        return Recording(path=path if whole else _of_tenant(path, below), url=url)

    def _below(self, path: str) -> list[str] | None:
        """Return the segments below the root; None for what is not below it, or cannot be told to be."""
        segments = [segment for segment in path.split("/") if segment]
        # A path that was cut is none, and a server may take a backslash for a slash.
        if _SCHEME.match(path) or not path.startswith("/") or CUT_MARK in path or "\\" in path:
            return None
        if "." in segments or ".." in segments:
            return None
        if self.root is None:
            if _USUAL_FOLDER not in segments:
                return None
            return segments[segments.index(_USUAL_FOLDER) + 1 :] or None
        root = [segment for segment in self.root.split("/") if segment]
        return segments[len(root) :] or None if segments[: len(root)] == root else None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[str]).decode


def _of_tenant(path: str, below: list[str] | None) -> str | None:
    if below is not None:
        return "/".join(below)
    return None if _SCHEME.match(path) else path.replace("\\", "/").rpartition("/")[2]
