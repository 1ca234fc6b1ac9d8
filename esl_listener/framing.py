"""Cut the bytes of an Event Socket into frames: pure, bounded, and able to find its way again.

A frame is a block of headers, a blank line, and a body of Content-Length bytes. One bad frame costs at most
itself: after a head that cannot be read, a length that is too large, a body that holds another frame, or one that
proved unusable, the next frame's head is searched for, and no length is believed until it is found.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# The largest real event is some 40 kB (70 redirects); `show channels as json` of 10,000 channels is 10 MB.
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024

# Where a frame begins, when the place is lost. Neither JSON strings nor percent-encoded values can hold a raw
# newline, so no caller's text can look like this. An event's head counts only with its length: after a length that
# is no number, the rest of that head would look like the head of an empty event.
_FRAME_HEAD = re.compile(
    rb"Content-Length: *\d+\nContent-Type: (?:text/event-|text/disconnect-notice\n|api/response\n)"
    rb"|Content-Type: text/event-[a-z]+\nContent-Length: *\d+\n"
    rb"|Content-Type: (?:auth/request|command/reply|api/response|text/(?:disconnect-notice|rude-rejection))\n"
)
# A head may be cut by the end of what was read; the longest of the above has 60 bytes.
_HEAD_START_BYTES = 64
# No body holds this: two frames are read as one.
_EVENT_BEGINS = b"\nContent-Type: text/event-"
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:")
_TYPE = b"Content-Type:"
_LENGTH = b"Content-Length:"
_EVENT_JSON = b"text/event-json"
_USUAL = b"\nContent-Type: " + _EVENT_JSON


class Frame(NamedTuple):
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
        self._lost = False
        self._unusable = False
        self.refused = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that is whole by now."""
        buffer = self._buffer
        buffer += data
        place = 0
        try:
            while True:
                if self._lost:
                    found = _FRAME_HEAD.search(buffer, place)
                    if not found:
                        place = max(place, len(buffer) - _HEAD_START_BYTES)
                        return
                    place = found.start()
                    self._lost = False
                end = buffer.find(b"\n\n", place)
                if end < 0:
                    if len(buffer) - place <= MAX_HEAD_BYTES:
                        return
                    place = self._give_up(place + 1)
                    continue
                head = bytes(buffer[place:end])
                kind, length = _read_head(head)
                body_at = end + 2
                if not kind:
                    place = self._give_up(place + 1) if head.strip() else body_at
                    continue
                if length > self._max_body_bytes:
                    # Skipped unread by its content, not by its length, which is rather wrong than true.
                    place = self._give_up(body_at)
                    continue
                if len(buffer) - body_at < length:
                    # Backlog for a length that is too long could take hours. Only what is new is looked through.
                    new_at = len(buffer) - len(data) - len(_EVENT_BEGINS)
                    if buffer.find(_EVENT_BEGINS, max(body_at, new_at)) < 0:
                        return
                    place = self._give_up(body_at)
                    continue
                place = body_at + length
                with memoryview(buffer) as view:  # a slice of the buffer itself would copy the body twice
                    body = bytes(view[body_at:place])
                yield Frame(kind, head, body)
                if self._unusable:
                    self._unusable = False
                    self._lost = True
                    place = body_at
        finally:
            del buffer[:place]

    def refuse(self) -> None:
        """Count the frame yielded last as unusable: its length may be wrong, and its body hold the next heads.

        `feed` then goes on inside that body, which is still in the buffer.
        """
        self.refused += 1
        self._unusable = True

    def _give_up(self, place: int) -> int:
        """Count a frame given up; the next one's head is searched for from `place`."""
        self.refused += 1
        self._lost = True
        return place


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
        elif not _HEADER_LINE.match(line):
            return b"", 0
    return kind, length
