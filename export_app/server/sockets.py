"""The sockets of the server, and what each waits for, by epoll(7).

waitress's own loop asks every connection before every wait what it waits for. With 1,000 idle connections that is a
millisecond of Python for each packet of anybody. Here an idle connection is asked once.
"""

import select
from collections import deque
from typing import Final

from waitress.wasyncore import dispatcher, readwrite

_READ: Final = select.EPOLLIN | select.EPOLLPRI


class Sockets(dict[int, dispatcher]):
    """Maps file numbers to what handles their events: the map of waitress's dispatchers, which enter and leave."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._asked: dict[int, int] = {}  # the events that epoll reports, by file
        self._woken: deque[int] = deque()  # by other threads; at most one of each stream for each of its events
        self._awake: set[int] = set()  # the files whose events may have to change before the next wait

    def __setitem__(self, file: int, handler: dispatcher) -> None:
        super().__setitem__(file, handler)
        self._awake.add(file)

    def __delitem__(self, file: int) -> None:
        super().__delitem__(file)
        self._awake.discard(file)
        if self._asked.pop(file, None):
            self._epoll.unregister(file)

    def wake(self, file: int) -> None:
        """Ask what waits for its client whether it has something to send, before the next wait. For any thread."""
        self._woken.append(file)

    def wait(self, timeout_s: float) -> None:
        """Wait for events for at most so long, and let their handlers handle them."""
        while self._woken:
            file = self._woken.popleft()
            if file in self:
                self._awake.add(file)
        for file in tuple(self._awake):
            self._ask(file)
        for file, events in self._epoll.poll(timeout_s):
            handler = self.get(file)
            if handler is not None:  # else an earlier event closed it
                self._awake.add(file)
                readwrite(handler, events)

    def _ask(self, file: int) -> None:
        handler = self[file]
        events = (_READ if handler.readable() else 0) | (select.EPOLLOUT if handler.writable() else 0)
        asked = self._asked.get(file, 0)
        if events != asked:
            if not events:
                self._epoll.unregister(file)
            elif asked:
                self._epoll.modify(file, events)
            else:
                self._epoll.register(file, events)
            self._asked[file] = events
        if events == _READ:
            # It waits for its client, and only an event changes that: no thread works for it.
            self._awake.discard(file)
