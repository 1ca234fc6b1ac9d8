"""The listening socket: a busy port is one clear error, and the kernel cuts off a client that reads nothing."""

import socket
from typing import Final

from tollbook.errors import SettingsError
from tollbook.setting_values import Bind

# Accepted sockets inherit it: the kernel cuts off a client that reads nothing for so long, and its response, which
# waits in our memory, is gone.
UNREAD_TIMEOUT_S: Final = 10
BACKLOG: Final = 512


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
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _bind_error(bind, error) from error
    return listener


def _bind_error(bind: Bind, error: OSError) -> SettingsError:
    return SettingsError(
        f"TOLLBOOK_API_BIND={bind}: {error.strerror}; choose a free local address, such as 127.0.0.1:8080"
    )
