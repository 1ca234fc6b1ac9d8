"""Sends an event to a webhook: one POST, to an address that is allowed, in a bounded time, without following anything.

The address is checked where the socket is made, of the address that it then connects to: a name that resolves to
another one a moment later, to several, or that is an address in some odd spelling, makes no difference.
"""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final

import aiohttp

from maintenance.deliver.outcome import Outcome
from maintenance.deliver.resolver import Resolver, looking_up_for
from maintenance.deliver.signature import signed_headers
from tollbook.model.endpoints import Network, is_listed, may_connect
from tollbook.store.events.queue import Delivery, Endpoint

#: A receiver has so long for all of it: name, connection, TLS, answer. It should answer first and work afterwards.
TIMEOUT_S: Final = 10.0
#: Of an answer no more is read: its status says all.
MAX_ANSWER: Final = 4_096
_MAX_HEADER: Final = 8_190
_GONE: Final = 410
# For the rest of a short answer: so that the connection can be used again, and not for what is in it.
_BODY_S: Final = 0.5

#: What an account may know of a name that leads nowhere: by two texts it could ask for the names of the operator's
#: network.
NOWHERE: Final = "the name leads to no address that events may be sent to"
NO_NAME_SERVER: Final = "no name server answers for the name"


class HttpSender:
    """Posts events. Make it, use it and close it in one event loop."""

    def __init__(self, allowed: Collection[Network] = (), timeout_s: float = TIMEOUT_S) -> None:
        """Take the private addresses that the operator allows: these may be reached, and without TLS these alone."""
        allowed = tuple(allowed)
        self._resolver = Resolver()
        self._secure = _session(timeout_s, self._resolver, lambda address: may_connect(address, allowed))
        self._plain = _session(timeout_s, self._resolver, lambda address: is_listed(address, allowed))

    async def close(self) -> None:
        """Close all connections."""
        await self._secure.close()
        await self._plain.close()
        await self._resolver.close()

    async def send(self, endpoint: Endpoint, delivery: Delivery, body: bytes) -> Outcome:
        """Post a body, signed; return what came of it. Raises nothing but CancelledError."""
        headers = signed_headers(
            event=delivery.event, message_id=delivery.message_id, at_s=int(time.time()), body=body,
            secret=endpoint.secret,
        )  # fmt: skip
        session = self._secure if endpoint.url.lower().startswith("https://") else self._plain
        post = session.post(endpoint.url, data=body, headers=headers, allow_redirects=False)
        try:
            with looking_up_for(endpoint.account_id):
                async with post as response:
                    with suppress(TimeoutError, aiohttp.ClientError):  # a status was said, and its body is no matter
                        async with asyncio.timeout(_BODY_S):
                            await response.content.read(MAX_ANSWER)
                    if not response.content.at_eof():
                        response.close()  # nobody reads the rest
                    return _outcome(delivery, response.status)
        except TimeoutError:
            return Outcome(delivery=delivery, error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(delivery=delivery, error=_reason(error))


def _session(timeout_s: float, resolver: Resolver, may_reach: Callable[[str], bool]) -> aiohttp.ClientSession:
    def open_socket(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, *_) = address
        if not may_reach(str(host)):
            raise OSError(errno.EACCES, NOWHERE)
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        return opened

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            # No cache: in it the first who asks for a name looks it up for all, and an account would wait for another.
            limit=0,
            use_dns_cache=False,
            resolver=resolver,
            socket_factory=open_socket,
            ssl=ssl.create_default_context(),
        ),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding"),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
    )


def _outcome(delivery: Delivery, status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(delivery=delivery)
    moved = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return Outcome(delivery=delivery, error=f"HTTP {status}{moved}", gone=status == _GONE)


def _reason(error: BaseException) -> str:
    """Return what an account may read: no address, not whether there is a name, and no word of what answers there."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NO_NAME_SERVER if error.os_error.errno == socket.EAI_AGAIN else NOWHERE
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        code = error.os_error.errno  # none of several addresses that failed each in its way
        return NOWHERE if code == errno.EACCES else f"no connection: {errno.errorcode.get(code or 0, 'to no address')}"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is no HTTP"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
