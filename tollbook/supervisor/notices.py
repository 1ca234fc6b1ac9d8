"""What the children say by systemd's notification protocol: that they are ready, and that they live."""

import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Self

# struct ucred: pid, uid, gid.
_CREDENTIALS: Final = struct.Struct("3i")
# A worker of the listener tells what it counts, with a hundred bytes for each of its switches.
_MAX_BYTES: Final = 128 * 1024


class Notices:
    """The socket that NOTIFY_SOCKET names for the children. The kernel says which process a message comes from."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        # Abstract: there is no file, for which a container may have no place.
        name = f"tollbook-run-{secrets.token_hex(16)}"
        self._socket.bind(f"\0{name}")
        self.address = f"@{name}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def received(self) -> Iterator[tuple[int, str]]:
        """Yield the messages that are there: the sender's process and its states, a line each."""
        with suppress(BlockingIOError):
            while True:
                message, ancillary, _, _ = self._socket.recvmsg(_MAX_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
                for level, kind, data in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                        yield _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0], message.decode("utf-8", "replace")
