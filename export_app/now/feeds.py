"""Streams of what is up: one thread reads it for all who watch, and leaves it with the server's loop.

So a stream holds no thread and no connection to PostgreSQL, and a hundred screens of one account cost one question. A
stream ends after STREAM_S, and the client asks again, with its key; it ends before that when its key, session or link
does.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Flask, current_app

from export_app.database import Database
from export_app.now.figures import FRESH_S, Now, NowBoard, shown
from export_app.web.errors import ApiError
from export_app.web.event_stream import EventStream
from tollbook.errors import TollbookError
from tollbook.log import log_line
from tollbook.model.accounts import Accounts
from tollbook.store.wallboard_links import still_open

_log = logging.getLogger("tollbook.serve")

MAX_STREAMS: Final = 200
#: Of one key, with all its sessions, or of one link.
MAX_STREAMS_PER_KEY: Final = 20
STREAM_S: Final = 600.0
HEARTBEAT_S: Final = 15.0
#: A reader that hears nothing for longer cannot tell what is unchanged from what cannot be read.
UNCHANGED_S: Final = 5.0
# Accounts that cannot be read are tried again after this time: each may take as long as a statement may.
_LEFT_ALONE_S: Final = 30.0
_LEAST_PAUSE_S: Final = 0.1
_KEY: Final = "tollbook.feeds"
_RETRY_AFTER_S: Final = 5
_HEARTBEAT: Final = b": still here\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Who watches: whose calls, of which queue alone (None: all), and what of them.

    `owner`: the hash of the key or link. `session`: that of the session, if it came by one.
    """

    accounts: Accounts
    owner: bytes
    session: bytes | None = None
    queue: str | None = None
    calls: bool = True
    queues: bool = True
    agents: bool = True

    def shown(self, now: Now) -> dict[str, object]:
        """Return what this viewer may see, without the time, which always differs."""
        return shown(now, queue=self.queue, calls=self.calls, queues=self.queues, agents=self.agents)


@dataclass(kw_only=True, slots=True, eq=False)
class _Feed:
    viewer: Viewer
    stream: EventStream
    began_s: float
    said_s: float
    last: int | None = None  # the hash of what was sent last


def set_feeds(app: Flask, feeds: "Feeds") -> None:
    """Let the application's views use these feeds."""
    app.extensions[_KEY] = feeds


def feeds() -> "Feeds":
    """Return the feeds of the application that serves this request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Feeds)
    return found


class Feeds:
    """The streams that are open, fed by a thread that starts with the first and ends with the last."""

    def __init__(self, board: NowBoard, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.board = board
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._feeds: list[_Feed] = []
        self._running = False
        self._added = threading.Event()
        self._leave_alone_until_s: dict[Accounts, float] = {}

    def add(self, viewer: Viewer) -> EventStream:
        """Begin a stream; raises ApiError when there are as many as may be."""
        with self._lock:
            self._feeds = [feed for feed in self._feeds if self._is_open(feed)]
            mine = sum(feed.viewer.owner == viewer.owner for feed in self._feeds)
            if len(self._feeds) >= MAX_STREAMS or mine >= MAX_STREAMS_PER_KEY:
                raise ApiError(
                    429,
                    "too_many_at_once",
                    f"there are as many streams as may be, {MAX_STREAMS_PER_KEY} of a key and {MAX_STREAMS} in all: ask"
                    " GET /v1/now every few seconds instead, or close another one",
                    {"Retry-After": str(_RETRY_AFTER_S)},
                )
            feed = _Feed(viewer=viewer, stream=EventStream(), began_s=self._clock(), said_s=self._clock())
            if not self._running:
                threading.Thread(target=self._run, name="now", daemon=True).start()
                self._running = True
            self._feeds.append(feed)
            self._added.set()
        return feed.stream

    def _run(self) -> None:
        while True:
            began_s = self._clock()
            with self._lock:
                self._feeds = [feed for feed in self._feeds if self._is_open(feed)]
                feeds = list(self._feeds)
                if not feeds:
                    self._running = False
                    self._leave_alone_until_s.clear()
                    return
            try:
                self._feed(feeds)
            except TollbookError as error:  # as each request says it: the streams go on, and say that they are there
                log_line(_log, logging.WARNING, "cannot read what is up", reason=error)
                self._keep(feeds)
            except Exception:  # noqa: BLE001 - a fault ends these streams, and never the thread of those to come
                _log.exception("streams failed")
                for feed in feeds:
                    self._end(feed)
            time.sleep(_LEAST_PAUSE_S)  # however fast streams are opened
            self._added.wait(max(0.0, FRESH_S - (self._clock() - began_s)))  # who is new does not wait
            self._added.clear()

    def _is_open(self, feed: _Feed) -> bool:
        late = self._clock() - feed.began_s >= HEARTBEAT_S
        return not feed.stream.closed and (feed.stream.has_begun or not late)

    def _feed(self, feeds: list[_Feed]) -> None:
        with self._database.looking_up() as connection:
            opened = still_open(
                connection,
                [feed.viewer.owner for feed in feeds if feed.viewer.session is None],
                [feed.viewer.session for feed in feeds if feed.viewer.session is not None],
            )
        still = list[_Feed]()
        for feed in feeds:  # first: whatever cannot be read, a stream ends with its key
            if (feed.viewer.session or feed.viewer.owner) in opened and self._clock() - feed.began_s < STREAM_S:
                still.append(feed)
            else:
                self._end(feed)
        of_accounts: dict[Accounts, list[_Feed]] = {}
        for feed in still:
            of_accounts.setdefault(feed.viewer.accounts, []).append(feed)
        for accounts, watching in of_accounts.items():
            if (now := self._read(accounts)) is not None:
                self._tell(watching, now)
            self._keep(still)

    def _read(self, accounts: Accounts) -> Now | None:
        """Return what is up of some accounts; None if it cannot be read, which holds up no other's streams for long."""
        if self._clock() < self._leave_alone_until_s.get(accounts, 0.0):
            return None
        try:
            now = self.board.of(accounts)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's
            log_line(_log, logging.WARNING, "cannot read what is up", reason=error)
            self._leave_alone_until_s[accounts] = self._clock() + _LEFT_ALONE_S
            return None
        self._leave_alone_until_s.pop(accounts, None)
        return now

    def _tell(self, watching: Iterable[_Feed], now: Now) -> None:
        """Send what has changed to those who watch the same accounts."""
        encoded: dict[tuple[object, ...], bytes] = {}
        for feed in watching:
            viewer = feed.viewer
            parts = (viewer.queue, viewer.calls, viewer.queues, viewer.agents)
            if parts not in encoded:
                encoded[parts] = msgspec.json.encode(viewer.shown(now))
            seen = encoded[parts]
            if (digest := hash(seen)) != feed.last:
                feed.last = digest
                feed.said_s = self._clock()
                feed.stream.send(b'data: {"now_ts":%d,' % now.now_ts + seen[1:] + b"\n\n")
            elif self._clock() - feed.said_s >= UNCHANGED_S:
                feed.said_s = self._clock()
                feed.stream.keep_alive(b'event: unchanged\ndata: {"now_ts":%d}\n\n' % now.now_ts)

    def _keep(self, feeds: list[_Feed]) -> None:
        for feed in feeds:
            if self._clock() - feed.said_s >= HEARTBEAT_S:
                feed.said_s = self._clock()
                feed.stream.keep_alive(_HEARTBEAT)

    def _end(self, feed: _Feed) -> None:
        feed.stream.end()
        feed.stream.close()
