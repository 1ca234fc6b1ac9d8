"""The listening socket, made by us so that a busy port is one clear line, and so that no client waits for ever."""

import socket
import struct
from typing import Final

from tollbook.config import Bind
from tollbook.errors import SettingsError

# Accepted sockets inherit both. A client that takes nothing for this long is cut off by the kernel: without the
# limit a thread waits for it for ever, and as many such clients as there are threads stop the API. SO_SNDTIMEO would
# not do: it begins anew whenever a send got a part away (31 s were seen with 10 s), and it ends as EAGAIN.
UNREAD_TIMEOUT_S: Final = 10
# The same for a client that begins a request and does not end it.
RECEIVE_TIMEOUT_S: Final = 10
_BACKLOG: Final = 512


def listen(bind: Bind) -> socket.socket:
    """Listen on an address; raises SettingsError when that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot(bind, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT_S * 1000)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(RECEIVE_TIMEOUT_S))
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _cannot(bind, error) from error
    return listening


def _timeval(seconds: int) -> bytes:
    return struct.pack("@ll", seconds, 0)


def _cannot(bind: Bind, error: OSError) -> SettingsError:
    return SettingsError(
        f"TOLLBOOK_API_BIND={bind}: {error.strerror}; choose a free local address, such as 127.0.0.1:8080"
    )
