"""The listening socket. We make it, not gunicorn, so that a busy port is one clear error and every client times out."""

import socket
import struct
from typing import Final

from tollbook.config import Bind
from tollbook.errors import SettingsError

# Accepted sockets inherit both timeouts. The kernel cuts off a client that reads nothing for this long; without the
# limit a thread waits for it for ever, and as many such clients as there are threads stop the API. SO_SNDTIMEO is no
# substitute: it restarts with every partial send (31 s were measured with 10 s), and it ends as EAGAIN.
UNREAD_TIMEOUT_S: Final = 10
# The same for a client that begins a request and does not finish it.
RECEIVE_TIMEOUT_S: Final = 10
_BACKLOG: Final = 512


def listen(bind: Bind) -> socket.socket:
    """Return a socket that listens on an address; raises SettingsError when that is impossible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _bind_error(bind, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT_S * 1000)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(RECEIVE_TIMEOUT_S))
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _bind_error(bind, error) from error
    return listener


def _timeval(seconds: int) -> bytes:
    return struct.pack("@ll", seconds, 0)


def _bind_error(bind: Bind, error: OSError) -> SettingsError:
    return SettingsError(
        f"TOLLBOOK_API_BIND={bind}: {error.strerror}; choose a free local address, such as 127.0.0.1:8080"
    )
