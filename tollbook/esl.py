"""A small blocking Event Socket client for checks: one time limit over the whole conversation, small frames."""

import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tollbook.errors import ProtocolError, SwitchRefused, SwitchUnavailable

# Replies to checks are a few lines; who sends more is no Event Socket.
_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 1024 * 1024
_MAX_HEADER_LINES = 100


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What the switch sent at once: its headers, and the body of Content-Length bytes."""

    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The Content-Type."""
        return self.headers.get("Content-Type", "")


class EslClient:
    """A connection that is over `timeout_s` seconds after its beginning; use it as a context manager.

    Every method raises SwitchUnavailable when the switch does not answer in time or goes, SwitchRefused when it does
    not let us in, ProtocolError when what it says is not the Event Socket's. Resolving the name is not in the limit.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._buffer = b""
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise self._gone(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def login(self, password: str) -> None:
        """Read the greeting and authenticate."""
        greeting = self.read()
        if greeting.kind == "text/rude-rejection":
            raise SwitchRefused("rejects our address")
        if greeting.kind != "auth/request":
            raise ProtocolError("does not greet as an Event Socket does")
        if not self.command(f"auth {password}").startswith("+OK"):
            raise SwitchRefused("refuses the password")

    def command(self, line: str) -> str:
        """Send a command and give its Reply-Text."""
        self._send(line)
        return self.read_until("command/reply").headers.get("Reply-Text", "")

    def api(self, line: str) -> str:
        """Run an api command and give what it prints, without the white space around it."""
        self._send(f"api {line}")
        return self.read_until("api/response").body.decode("utf-8", "replace").strip()

    def read_until(self, kind: str) -> Frame:
        """Read frames until one of this Content-Type comes, and give it; others are passed over."""
        while (frame := self.read()).kind != kind:
            if frame.kind in ("text/disconnect-notice", "text/rude-rejection"):
                raise SwitchUnavailable("ended the session")
        return frame

    def read(self) -> Frame:
        """Give the next frame."""
        head = self._take_head()
        lines = [line.partition(b": ") for line in head.split(b"\n") if b": " in line]
        if len(lines) > _MAX_HEADER_LINES:
            raise ProtocolError("sent a frame with too many headers")
        headers = {name.decode("latin-1"): value.decode("utf-8", "replace").strip() for name, _, value in lines}
        length = headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,7}", length) or int(length) > _MAX_BODY_BYTES:
            raise ProtocolError("sent a frame of an impossible length")
        while len(self._buffer) < int(length):
            self._receive()
        body, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return Frame(headers=headers, body=body)

    def _take_head(self) -> bytes:
        while b"\n\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise ProtocolError("does not speak as an Event Socket does")
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\n\n")
        return head

    def _send(self, line: str) -> None:
        if "\n" in line or "\r" in line:
            raise ProtocolError("a command has one line")
        try:
            self._socket.settimeout(self._left_s())
            self._socket.sendall(f"{line}\n\n".encode())
        except OSError as error:
            raise self._gone(error) from error

    def _receive(self) -> None:
        try:
            self._socket.settimeout(self._left_s())
            data = self._socket.recv(65_536)
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise SwitchUnavailable("closed the connection")
        self._buffer += data

    def _left_s(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _gone(self, error: OSError) -> SwitchUnavailable:
        if isinstance(error, TimeoutError):
            return SwitchUnavailable(f"did not answer within {self._timeout_s:.0f} s")
        reason = error.strerror or str(error)
        with suppress(IndexError):
            reason = reason[0].lower() + reason[1:]
        return SwitchUnavailable(reason)
