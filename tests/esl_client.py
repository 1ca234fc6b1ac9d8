"""A blocking Event Socket client for tests that compare bytes.

It cuts frames by itself, line by line, so that our framer is not tested against itself.
"""

import io
import socket
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from tollbook.simulator.event import RawEvent, parse_json, parse_plain


@dataclass(frozen=True, kw_only=True)
class Message:
    """A frame as received: the raw bytes of its headers, blank line included, and its body."""

    head: bytes
    body: bytes

    @property
    def event(self) -> RawEvent:
        """The event in the body."""
        return parse_json(self.body) if b"text/event-json" in self.head else parse_plain(self.body)

    @property
    def reply(self) -> bytes:
        """The Reply-Text."""
        return next(line[12:] for line in self.head.split(b"\n") if line.startswith(b"Reply-Text: "))


def read_message(file: BinaryIO) -> Message:
    """Return the next frame of a file or socket; raise EOFError at its end."""
    head = b""
    while not head.endswith(b"\n\n"):
        line = file.readline()
        if not line:
            raise EOFError
        head += line
    lengths = [line for line in head.split(b"\n") if line.startswith(b"Content-Length: ")]
    return Message(head=head, body=file.read(int(lengths[0][16:])) if lengths else b"")


def messages_in(stream: bytes) -> list[Message]:
    """Return the frames in some bytes."""
    file, found = io.BytesIO(stream), list[Message]()
    while file.tell() < len(stream):
        found.append(read_message(file))
    return found


class RawClient:
    """A connection with a time limit on every wait. Use it as a context manager."""

    def __init__(self, address: tuple[str, int], *, timeout_s: float = 5.0) -> None:
        self.sock = socket.create_connection(address, timeout=timeout_s)
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()

    def login(self, password: bytes = b"ClueCon") -> "RawClient":
        """Read the greeting and authenticate; raise ConnectionError if the password is refused."""
        self.read()
        reply = self.command(b"auth " + password).reply
        if reply != b"+OK accepted":
            raise ConnectionError(f"not let in: {reply!r}")
        return self

    def send(self, command: bytes) -> None:
        """Send a command with its blank line."""
        self.sock.sendall(command + b"\n\n")

    def command(self, command: bytes) -> Message:
        """Send a command and return the next frame."""
        self.send(command)
        return self.read()

    def api(self, command: bytes) -> bytes:
        """Return what an api command prints."""
        return self.command(b"api " + command).body

    def api_json(self, command: bytes) -> dict[str, object]:
        """Return what an api command prints, decoded."""
        return msgspec.json.decode(self.api(command), type=dict[str, object])

    def read(self) -> Message:
        """Return the next frame; raise EOFError at the end."""
        return read_message(self._file)

    def events(self, count: int) -> list[RawEvent]:
        """Return the next events."""
        return [self.read().event for _ in range(count)]

    def rest(self) -> bytes:
        """Return all bytes until the server closes."""
        return self._file.read()
