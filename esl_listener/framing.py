"""Cut the bytes of an Event Socket into frames: pure, bounded, and able to find its way again.

A frame is a block of headers, a blank line, and a body of Content-Length bytes. One bad frame costs at most
itself: what is too large is skipped unread, and after a wrong length the next frame's head is searched for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# The largest real event is some 40 kB (70 redirects); `show channels as json` of 10,000 channels is 10 MB.
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024

# Where a frame begins. Neither JSON strings nor percent-encoded values can hold a raw newline, so no caller's
# text can look like this.
_FRAME_HEAD = re.compile(rb"(?:Content-Length: *\d+\nContent-Type: |Content-Type: [a-z]+/[a-z-]+\n)")
_TYPE = b"Content-Type:"
_LENGTH = b"Content-Length:"
_EVENT_JSON = b"text/event-json"
_USUAL = b"\nContent-Type: " + _EVENT_JSON


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its type (`text/event-json`, …), its headers as they came, its body."""

    type: bytes
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Give a header's value, b'' when absent."""
        for line in self.head.split(b"\n"):
            if line.startswith(name + b":"):
                return line[len(name) + 1 :].strip()
        return b""


class Framer:
    """Feed it what the socket gives; it yields whole frames. `refused` counts frames given up."""

    def __init__(self, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._buffer = bytearray()
        self._max_body_bytes = max_body_bytes
        self._skip = 0
        self.refused = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that is whole by now."""
        buffer = self._buffer
        buffer += data
        place = 0
        try:
            while True:
                if self._skip:
                    skipped = min(self._skip, len(buffer) - place)
                    place += skipped
                    self._skip -= skipped
                    if self._skip:
                        return
                end = buffer.find(b"\n\n", place)
                if end < 0:
                    if len(buffer) - place > MAX_HEAD_BYTES:
                        place = self._resynchronised(place)
                    return
                head = bytes(buffer[place:end])
                kind, length = _read_head(head)
                if not kind:
                    place = self._resynchronised(place, past=end) if head.strip() else end + 2
                    continue
                body_at = end + 2
                if length > self._max_body_bytes:
                    self.refused += 1
                    self._skip = length
                    place = body_at
                    continue
                if len(buffer) - body_at < length:
                    return
                place = body_at + length
                yield Frame(kind, head, bytes(buffer[body_at:place]))
        finally:
            del buffer[:place]

    def frames_inside(self, body: bytes) -> Iterator[Frame]:
        """Yield the frames that a too large Content-Length swallowed into an unusable body."""
        found = _FRAME_HEAD.search(body)
        if found:
            rest = bytes(self._buffer)
            self._buffer.clear()
            yield from self.feed(body[found.start() :] + rest)

    def _resynchronised(self, place: int, past: int | None = None) -> int:
        """Give the place of the next frame's head after an unreadable one, or keep only what may begin one."""
        self.refused += 1
        found = _FRAME_HEAD.search(self._buffer, place + 1)
        if found:
            return found.start()
        return past + 2 if past is not None else len(self._buffer) - 64


def _read_head(head: bytes) -> tuple[bytes, int]:
    """Give (type, body length) of a block of headers; type b'' when it is none."""
    if head.startswith(_LENGTH) and head.endswith(_USUAL):
        digits = head[len(_LENGTH) : -len(_USUAL)].strip()
        if digits.isdigit() and len(digits) <= 12:
            return _EVENT_JSON, int(digits)
    kind, length = b"", 0
    for line in head.split(b"\n"):
        if line.startswith(_TYPE):
            kind = line[len(_TYPE) :].strip()
        elif line.startswith(_LENGTH):
            digits = line[len(_LENGTH) :].strip()
            if not digits.isdigit() or len(digits) > 12:
                return b"", 0
            length = int(digits)
        elif b":" not in line:
            return b"", 0
    return kind, length
