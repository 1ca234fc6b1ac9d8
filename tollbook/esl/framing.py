"""Cut the bytes of an Event Socket into frames. Pure, bounded, and able to find its way again.

A frame is a block of headers, a blank line, and a body of Content-Length bytes. A bad frame costs at most itself: after
a head that cannot be read, a length that is too large, a body that holds another frame, or a frame that proved
unusable, the framer searches for the next frame's head, and believes no length until it has found one.
"""

import re
from collections.abc import Iterator

import msgspec

EVENT_JSON = b"text/event-json"
EVENT_PLAIN = b"text/event-plain"

# The largest real event has some 40 kB (70 redirects); `show channels as json` of 10,000 channels has 10 MB.
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024

# The head of a frame, to resynchronise on. Neither JSON strings nor percent-encoded values can hold a raw newline, so
# no text of a caller's can look like one. An event's head counts only together with its length: otherwise, after a
# length that is not a number, the rest of that head would look like the head of an empty event.
_FRAME_HEAD = re.compile(
    rb"Content-Length: *\d+\nContent-Type: (?:text/event-|text/disconnect-notice\n|api/response\n)"
    rb"|Content-Type: text/event-[a-z]+\nContent-Length: *\d+\n"
    rb"|Content-Type: (?:auth/request|command/reply|api/response|text/(?:disconnect-notice|rude-rejection))\n"
)
# The end of what was read may cut a head; the longest of the above has 60 bytes.
_HEAD_START_BYTES = 64
# No body holds this. Where one seems to, its length is too long and covers the next frame.
EVENT_BEGINS = b"\nContent-Type: text/event-"
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:")
_TYPE = b"Content-Type:"
_LENGTH = b"Content-Length:"
# A head as FreeSWITCH writes it for a JSON event, read at once: line by line takes four times as long.
_USUAL_HEAD = re.compile(rb"Content-Length: (\d{1,12})\nContent-Type: " + EVENT_JSON + rb"\n\n")


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame: its type (`text/event-json`, …), its headers as they came, its body."""

    type: bytes
    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        """All bytes of the frame, as they came."""
        return self.head + b"\n\n" + self.body

    def header(self, name: bytes) -> bytes:
        """Return a header's value, b'' when absent."""
        for line in self.head.split(b"\n"):
            if line.startswith(name + b":"):
                return line[len(name) + 1 :].strip()
        return b""


class Framer:
    """Yields whole frames of the bytes it is fed. `refused` counts the frames that were given up."""

    def __init__(self, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._buffer = bytearray()
        self._max_body_bytes = max_body_bytes
        self._lost = False
        self._unusable = False
        self.refused = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Yield every frame that is complete with `data`, which is copied before the first one."""
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
                head_at = place
                if usual := _USUAL_HEAD.match(buffer, place):
                    kind, length = EVENT_JSON, int(usual[1])
                    head, body_at = usual[0][:-2], usual.end()
                else:
                    end = buffer.find(b"\n\n", place)
                    if end < 0:
                        if len(buffer) - place <= MAX_HEAD_BYTES:
                            return
                        place = self._give_up(place + 1)
                        continue
                    head, body_at = bytes(buffer[head_at:end]), end + 2
                    kind, length = _read_head(head)
                    if not kind:
                        place = self._give_up(place + 1) if head.strip() else body_at
                        continue
                if length > self._max_body_bytes:
                    # Resynchronise on the next head; an absurd length is more likely wrong than right.
                    place = self._give_up(self._search_from(head_at, body_at))
                    continue
                if len(buffer) - body_at < length:
                    # Waiting for a length that is too long could take hours: give up when the next event begins
                    # within it. Only the new bytes are searched.
                    new_at = len(buffer) - len(data) - len(EVENT_BEGINS)
                    if buffer.find(EVENT_BEGINS, max(body_at, new_at)) < 0:
                        return
                    place = self._give_up(self._search_from(head_at, body_at))
                    continue
                place = body_at + length
                with memoryview(buffer) as view:  # a slice of the buffer itself would copy the body twice
                    body = bytes(view[body_at:place])
                yield Frame(kind, head, body)
                if self._unusable:
                    self._unusable = False
                    self._lost = True
                    place = self._search_from(head_at, body_at)
        finally:
            del buffer[:place]

    def refuse(self) -> None:
        """Count the frame yielded last as unusable: its length may be wrong, and its body hold the next heads.

        `feed` then goes on inside that body, which is still in the buffer.
        """
        self.refused += 1
        self._unusable = True

    def _search_from(self, head_at: int, body_at: int) -> int:
        """Return from where to search for the next head after a frame that was no good.

        From its body, or from within its head: where the frame before it was cut off inside a header, the true head
        begins there. The last such place: searching from each in turn would read the body as often.
        """
        inside = [found.start() for found in _FRAME_HEAD.finditer(self._buffer, head_at + 1, body_at)]
        return inside[-1] if inside else body_at

    def _give_up(self, place: int) -> int:
        """Count a frame as given up, and search for the next head from `place`."""
        self.refused += 1
        self._lost = True
        return place


def _read_head(head: bytes) -> tuple[bytes, int]:
    """Return (type, body length) of a block of headers; the type is b'' when it is not one."""
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
