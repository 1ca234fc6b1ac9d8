"""Reads the API as an integrator does: over HTTP, with a key."""

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

_TIMEOUT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Export:
    """`GET /v1/calls` of a running `tollbook serve`."""

    url: str
    key: str

    def ready(self) -> bool:
        """Return whether the API answers and knows the key: at this address may be a server of somebody else."""
        try:
            self._get({"limit": "1"})
        except (OSError, HTTPException):
            return False
        return True

    def rows(self, since_ms: int) -> list[dict[str, Any]]:
        """Return every call that began at or after `since_ms` (epoch ms), newest first, read page by page."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = json.loads(self._get({"since": str(since_ms), "limit": "1000", **cursor}))
            rows += page["rows"]
            if "next_cursor" not in page:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    def csv(self, since_ms: int) -> str:
        """Return the first page of calls as CSV, at most 10,000."""
        return self._get({"since": str(since_ms), "format": "csv", "raw": "1", "limit": "10000"}).decode()

    def _get(self, parameters: dict[str, str]) -> bytes:
        query = urllib.parse.urlencode(parameters)
        request = urllib.request.Request(f"{self.url}/v1/calls?{query}", headers={"x-api-key": self.key})  # noqa: S310
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http
            return answer.read()
