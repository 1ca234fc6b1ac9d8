"""Clients of `/v1/calls` that keep a copy of their calls, as docs/api.md says that a sync does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.export_app.conftest import Ask
from tollbook.model.call_key import CallKey

FIELDS = "start_ts,call_id,switch,account_id,billsec"

#: The account and the billsec of each call.
Calls = dict[CallKey, tuple[str | None, int | None]]


def _nothing() -> None:
    pass


@dataclass
class SyncClient:
    """Copies the calls of a key. `now_ms` is its clock; `between` is called between any two of its requests.

    `resets` are the codes of the errors that made it begin anew.
    """

    ask: Ask
    now_ms: Callable[[], int]
    limit: int = 1000
    between: Callable[[], None] = _nothing
    calls: Calls = field(default_factory=Calls)
    cursor: str | None = None
    resets: list[str] = field(default_factory=list)

    def sync(self) -> None:
        """Bring the copy up to date."""
        asked: dict[str, object] = {"cursor": self.cursor} if self.cursor else self._read_all()
        while self.cursor is None or asked:
            body = self._page(asked)
            if body is None:
                asked = self._read_all()
                continue
            for call in body["deleted"]:
                self.calls.pop(CallKey(call["start_ts"], call["call_id"], call["switch"]), None)
            self._keep(body["rows"])
            self.cursor = body.get("sync_cursor") or body["next_cursor"]
            asked = {} if "sync_cursor" in body else {"cursor": body["next_cursor"]}
            self.between()

    def _read_all(self) -> dict[str, object]:
        """Copy all calls, and return the beginning of the first sync."""
        began_ms = self.now_ms()
        self.calls, self.cursor = {}, None
        asked: dict[str, object] = {"since": 0}
        while asked:
            body = self._page(asked)
            assert body is not None
            self._keep(body["rows"])
            asked = {"cursor": body["next_cursor"]} if "next_cursor" in body else {}
            self.between()
        return {"updated_since": began_ms}

    def _page(self, asked: dict[str, object]) -> Any:
        """Return a page; None when the client must begin anew."""
        answer = self.ask(limit=self.limit, fields=FIELDS, **asked)
        body = answer.get_json()
        if answer.status_code == 400 and body["code"] in ("sync_reset", "too_long_ago"):
            self.resets.append(body["code"])
            return None
        assert answer.status_code == 200, body
        return body

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            key = CallKey(row["start_ts"], row["call_id"], row["switch"])
            self.calls[key] = (row["account_id"], row["billsec"])
