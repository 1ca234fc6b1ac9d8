"""A small blocking Event Socket client for checks: one time limit for the whole conversation, small frames."""

import socket
import time
from collections import deque
from contextlib import suppress
from typing import Self

from tollbook.errors import ProtocolError, SwitchRefused, SwitchUnavailable
from tollbook.esl.framing import Frame, Framer

# Replies to checks are a few lines; a peer that sends more is not an Event Socket.
_MAX_BODY_BYTES = 1024 * 1024
_CHUNK_BYTES = 65_536


class EslClient:
    """A connection that ends `timeout_s` seconds after its beginning. Use it as a context manager.

    Every method raises SwitchUnavailable when the switch does not answer in time or closes the connection,
    SwitchRefused when it does not let us in, ProtocolError when its bytes are not those of an Event Socket. The time
    that the host's name takes to resolve is not limited.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._framer = Framer(max_body_bytes=_MAX_BODY_BYTES)
        self._frames: deque[Frame] = deque()
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise self._unavailable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def login(self, password: str) -> None:
        """Read the greeting and authenticate."""
        greeting = self.next_frame()
        if greeting.type == b"text/rude-rejection":
            raise SwitchRefused("rejects our address")
        if greeting.type != b"auth/request":
            raise ProtocolError("does not greet as an Event Socket does")
        if not self.command(f"auth {password}").startswith("+OK"):
            raise SwitchRefused("refuses the password")

    def command(self, line: str) -> str:
        """Send a command and return its Reply-Text."""
        self._send(line)
        return self.next_frame_of(b"command/reply").header(b"Reply-Text").decode("utf-8", "replace")

    def api(self, line: str) -> str:
        """Send an api command and return what it prints, without surrounding white space."""
        self._send(f"api {line}")
        return self.next_frame_of(b"api/response").body.decode("utf-8", "replace").strip()

    def next_frame_of(self, kind: bytes) -> Frame:
        """Read frames until one of this Content-Type comes, and return it; drop the others."""
        while (frame := self.next_frame()).type != kind:
            if frame.type in (b"text/disconnect-notice", b"text/rude-rejection"):
                raise SwitchUnavailable("ended the session")
        return frame

    def next_frame(self) -> Frame:
        """Return the next frame."""
        while not self._frames:
            if self._framer.refused:
                raise ProtocolError("does not speak as an Event Socket does")
            self._frames.extend(self._framer.feed(self._receive()))
        return self._frames.popleft()

    def _send(self, line: str) -> None:
        if "\n" in line or "\r" in line:
            raise ProtocolError("a command has one line")
        try:
            self._socket.settimeout(self._left_s())
            self._socket.sendall(f"{line}\n\n".encode())
        except OSError as error:
            raise self._unavailable(error) from error

    def _receive(self) -> bytes:
        try:
            self._socket.settimeout(self._left_s())
            data = self._socket.recv(_CHUNK_BYTES)
        except OSError as error:
            raise self._unavailable(error) from error
        if not data:
            raise SwitchUnavailable("closed the connection")
        return data

    def _left_s(self) -> float:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def _unavailable(self, error: OSError) -> SwitchUnavailable:
        if isinstance(error, TimeoutError):
            return SwitchUnavailable(f"did not answer within {self._timeout_s:.0f} s")
        reason = error.strerror or str(error)
        with suppress(IndexError):
            reason = reason[0].lower() + reason[1:]
        return SwitchUnavailable(reason)
