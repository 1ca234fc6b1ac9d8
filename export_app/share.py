"""The share of an account: how many of its requests are at work at once, and how many may wait.

By account and not by key, because a key costs nothing: an account with ten keys would have ten shares. All operators'
keys together are one account here, for the same reason.
"""

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount

# A request that waits holds a thread. All that wait, for whatever share or connection, and all that are at work on
# connections leave some free (a test adds them up).
ACCOUNT_WAITING: Final = 8
ALL_WAITING: Final = 16
# As long as a request that is at work may take: then it is the client's turn to wait, and for as long, because one that
# asks again at once finds the same queue.
SHARE_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 5


@dataclass(kw_only=True, slots=True)
class _Requests:
    """Those of an account: how many hold a place, and who waits for one, the first to come first."""

    at_work: int = 0
    waiting: deque[threading.Condition] = field(default_factory=deque[threading.Condition])


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareCounts:
    """How many requests of all accounts hold a place or wait for one now, and how many were refused so far."""

    at_work: int
    waiting: int
    refused: int


def waiting_room() -> threading.Semaphore:
    """Make the room for all requests of a process that wait for a share."""
    return threading.Semaphore(ALL_WAITING)


class Share:
    """Lets `most` requests of each account work at once; a few more wait in `room`, others are refused.

    `work`: a word for it in metrics; `what`: what such a request asks for, in the refusal.
    """

    def __init__(self, work: str, what: str, most: int, room: threading.Semaphore) -> None:
        self.work = work
        self._what = what
        self._most = most
        self._room = room
        self._lock = threading.Lock()
        self._of: dict[Accounts, _Requests] = {}
        self._refused = 0

    def counts(self) -> ShareCounts:
        """Return how the share is used at this moment."""
        with self._lock:
            return ShareCounts(
                at_work=sum(requests.at_work for requests in self._of.values()),
                waiting=sum(len(requests.waiting) for requests in self._of.values()),
                refused=self._refused,
            )

    @property
    def is_crowded(self) -> bool:
        """Whether more than one request, of whichever accounts, holds a place at this moment or waits for one."""
        with self._lock:
            return sum(requests.at_work + len(requests.waiting) for requests in self._of.values()) > 1

    @contextmanager
    def taken(self, accounts: Accounts) -> Generator[None]:
        """Hold a place of this account's share; raises ApiError when too many of its requests hold or want one."""
        if isinstance(accounts, OneAccount) and accounts.for_operator:
            accounts = EveryAccount()  # no operator keeps an account from its own calls
        with self._lock:
            mine = self._of.setdefault(accounts, _Requests())
            try:
                if mine.at_work < self._most:
                    mine.at_work += 1
                else:
                    self._wait(mine)
            finally:
                self._forget_if_idle(accounts, mine)
        try:
            yield
        finally:
            with self._lock:
                if mine.waiting:  # it takes this place over, and nobody who comes later can
                    mine.waiting.popleft().notify()
                else:
                    mine.at_work -= 1
                    self._forget_if_idle(accounts, mine)

    def _wait(self, mine: _Requests) -> None:
        """Wait for a place that another request hands over."""
        if len(mine.waiting) >= ACCOUNT_WAITING or not self._room.acquire(blocking=False):
            raise self._refusal()
        turn = threading.Condition(self._lock)
        mine.waiting.append(turn)
        turn.wait_for(lambda: turn not in mine.waiting, SHARE_TIMEOUT_S)
        self._room.release()
        if turn in mine.waiting:
            mine.waiting.remove(turn)
            raise self._refusal()

    def _forget_if_idle(self, accounts: Accounts, mine: _Requests) -> None:
        if not (mine.at_work or mine.waiting):
            self._of.pop(accounts, None)

    def _refusal(self) -> ApiError:
        self._refused += 1  # under the lock, as all that calls this
        return ApiError(
            429,
            "too_many_at_once",
            f"this account is asking for too many {self._what} at once, whatever its keys: {self._most} at a time are"
            f" worked on, and some wait; wait {RETRY_AFTER_S} seconds, and send the next request when one is answered",
            {"Retry-After": str(RETRY_AFTER_S)},
        )
