"""How a greenlet waits for PostgreSQL: on a watcher of the hub's own loop.

psycopg notices that gevent has patched `select`, and then waits with `poll`, which gevent emulates: a poll object, two
watchers and a timer for each wait, of which a batch has a dozen. That took a fifth of a listener's time at 50 calls a
second.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from gevent.hub import Hub, Waiter, get_hub
from psycopg import waiting

T = TypeVar("T")


def install() -> None:
    """Let all connections of this process wait so. Call before the first is opened."""
    waiting.wait = wait  # where psycopg looks for it, at each wait


_standard = waiting.wait


def wait(gen: Generator[Any, Any, T], fileno: int, interval: float = 0.0, timeout: float | None = None) -> T:
    """Drive one of psycopg's generators, which yield what they wait for, and return its result.

    `interval`: unused, because a signal wakes the hub by itself. With a `timeout` (s) psycopg's own function is used.
    """
    if timeout is not None:
        return _standard(gen, fileno, interval, timeout)
    hub: Hub = get_hub()
    try:
        wanted = next(gen)
        while True:
            watcher = hub.loop.io(fileno, int(wanted))
            waiter: Waiter[int] = Waiter(hub)
            watcher.start(waiter.switch, pass_events=True)
            try:
                ready = waiter.get()
            finally:
                watcher.close()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
