"""Looks up the names of receivers. A lookup blocks a thread for as long as a name server wants: an account has few."""

import asyncio
import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

#: Threads, which a dead name server keeps for half a minute, as a rule longer than we wait.
THREADS: Final = 256
#: Of them an account has so many at most, also those whose answer nobody waits for any more.
THREADS_EACH: Final = 4

_account: ContextVar[str | None] = ContextVar("_account", default=None)


@contextmanager
def looking_up_for(account_id: str | None) -> Generator[None]:
    """Let what is looked up in the block, also by tasks that it makes, count for an account; None: operators."""
    token = _account.set(account_id)
    try:
        yield
    finally:
        _account.reset(token)


class Resolver(AbstractResolver):
    """The system's resolver in threads. For one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._free: dict[str | None, asyncio.Semaphore] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raises OSError. Waits for others of the account, as long as its task may."""
        free = self._free.setdefault(_account.get(), asyncio.Semaphore(THREADS_EACH))
        await free.acquire()
        loop = asyncio.get_running_loop()
        looking = self._threads.submit(
            socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )

        def release(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(free.release)

        looking.add_done_callback(release)  # when the thread is done, not when we are
        return [
            ResolveResult(
                hostname=host, host=_text(address), port=port, family=found, proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in await asyncio.wrap_future(looking)
        ]  # fmt: skip

    async def close(self) -> None:
        """Wait for no thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _text(address: tuple[str | int, ...] | tuple[int, bytes]) -> str:
    """Return an address as a text, a link's with its zone."""
    host, zone = str(address[0]), address[3] if len(address) == 4 else 0
    return f"{host}%{zone}" if zone and "%" not in host else host
