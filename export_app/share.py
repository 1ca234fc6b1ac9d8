"""The share of an account: how many of its requests are at work at once, and how many may wait.

By account and not by key, because a key costs nothing: an account with ten keys would have ten shares. All operators'
keys together are one account here, for the same reason.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts

# A request that waits holds a thread, and there are few: all that wait, for whatever share, leave half of them free.
ACCOUNT_WAITING: Final = 8
ALL_WAITING: Final = 16
# As long as a request that is at work may take: then it is the client's turn to wait, and for as long, because one that
# asks again at once finds the same queue.
WAIT_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 5


@dataclass(kw_only=True, slots=True)
class _Requests:
    # Of this account alone: each request that ends wakes the one that takes its place, and nobody else.
    ended: threading.Condition
    at_work: int = 0
    waiting: int = 0


def waiting_room() -> threading.Semaphore:
    """Make the room for all requests of a process that wait for a share."""
    return threading.Semaphore(ALL_WAITING)


class Share:
    """Lets `most` requests of each account work at once on `what`; a few more wait in `room`, others are refused."""

    def __init__(self, what: str, most: int, room: threading.Semaphore) -> None:
        self._what = what
        self._most = most
        self._room = room
        self._lock = threading.Lock()
        self._of: dict[Accounts, _Requests] = {}

    @contextmanager
    def taken(self, accounts: Accounts) -> Generator[None]:
        """Hold a place of this account's share; raises ApiError when too many of its requests hold or want one."""
        with self._lock:
            mine = self._of.get(accounts)
            if mine is None:
                mine = self._of[accounts] = _Requests(ended=threading.Condition(self._lock))
            try:
                if mine.at_work >= self._most:
                    self._wait(mine)
                mine.at_work += 1
            finally:
                self._forget_if_idle(accounts, mine)
        try:
            yield
        finally:
            with self._lock:
                mine.at_work -= 1
                self._forget_if_idle(accounts, mine)
                mine.ended.notify()

    def _wait(self, mine: _Requests) -> None:
        if mine.waiting >= ACCOUNT_WAITING or not self._room.acquire(blocking=False):
            raise self._refusal()
        mine.waiting += 1
        try:
            if not mine.ended.wait_for(lambda: mine.at_work < self._most, WAIT_TIMEOUT_S):
                raise self._refusal()
        finally:
            mine.waiting -= 1
            self._room.release()

    def _forget_if_idle(self, accounts: Accounts, mine: _Requests) -> None:
        if not (mine.at_work or mine.waiting):
            self._of.pop(accounts, None)

    def _refusal(self) -> ApiError:
        return ApiError(
            429,
            "too_many_at_once",
            f"this account is asking for too many {self._what} at once, whatever its keys: {self._most} at a time are"
            f" worked on, and some wait; wait {RETRY_AFTER_S} seconds, and send the next request when one is answered",
            {"Retry-After": str(RETRY_AFTER_S)},
        )
