"""An event of the simulated switch: its headers in order, and its two formats."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from tollbook.errors import DataError
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN
from tollbook.simulator.encoding import event_frame, json_string, percent_decode, percent_encode

Header = tuple[bytes, bytes]

_ARRAY = b"ARRAY::"
_ARRAY_SEPARATOR = b"|:"


class Playable(Protocol):
    """What a switch can send: it has a name and can be rendered in both formats."""

    @property
    def name(self) -> bytes: ...
    @property
    def subclass(self) -> bytes | None: ...
    @property
    def unique_id(self) -> bytes | None: ...
    def headers(self, sequence: int) -> tuple[Header, ...]:
        """Return the decoded headers."""
        ...

    def plain_frame(self, sequence: int) -> bytes:
        """Return the whole plain frame, with this Event-Sequence unless it is played verbatim."""
        ...

    def json_frame(self, sequence: int) -> bytes:
        """Return the whole JSON frame, with this Event-Sequence unless it is played verbatim."""
        ...


@dataclass(frozen=True, kw_only=True)
class RawEvent:
    """Headers as the switch has them (any bytes, in order, some names twice), and an optional body."""

    headers: tuple[Header, ...]
    body: bytes = b""

    def get(self, name: bytes) -> bytes | None:
        """Return the first value of a header, None without one."""
        return next((value for header, value in self.headers if header == name), None)

    def plain_body(self) -> bytes:
        """Return the body of the plain frame; it ends with a blank line, as FreeSWITCH's does."""
        lines = b"".join(b"%s: %s\n" % (name, percent_encode(value)) for name, value in self.headers)
        if self.body:
            return b"%sContent-Length: %d\n\n%s" % (lines, len(self.body), self.body)
        return lines + b"\n"

    def json_body(self) -> bytes:
        """Return the body of the JSON frame, arrays as lists."""
        pairs = [json_string(name) + b":" + _json_value(value) for name, value in self.headers]
        if self.body:
            pairs.append(b'"Content-Length":"%d"' % len(self.body))
            pairs.append(b'"_body":' + json_string(self.body))
        return b"{" + b",".join(pairs) + b"}"


@dataclass(frozen=True, kw_only=True)
class SystemEvent:
    """An event that the switch makes itself, ready to be sent."""

    event: RawEvent

    @property
    def name(self) -> bytes:
        """The value of Event-Name."""
        return self.event.get(b"Event-Name") or b""

    @property
    def subclass(self) -> bytes | None:
        """The value of Event-Subclass."""
        return self.event.get(b"Event-Subclass")

    @property
    def unique_id(self) -> bytes | None:
        """None: the switch's own events are about no channel."""
        return None

    def headers(self, sequence: int) -> tuple[Header, ...]:
        """Return the headers with this Event-Sequence."""
        number = b"%d" % sequence
        return tuple((name, number if name == b"Event-Sequence" else value) for name, value in self.event.headers)

    def plain_frame(self, sequence: int) -> bytes:
        """Return the plain frame."""
        return event_frame(EVENT_PLAIN, RawEvent(headers=self.headers(sequence), body=self.event.body).plain_body())

    def json_frame(self, sequence: int) -> bytes:
        """Return the JSON frame."""
        return event_frame(EVENT_JSON, RawEvent(headers=self.headers(sequence), body=self.event.body).json_body())


def parse_plain(body: bytes) -> RawEvent:
    """Return the event in the body of a plain frame; raise DataError when there is none.

    Lines are split before values are decoded, or a value could forge a line.
    """
    head, _, rest = body.partition(b"\n\n")
    headers: list[Header] = []
    for line in head.split(b"\n"):
        name, separator, value = line.partition(b": ")
        if not separator:
            raise DataError(f"not a header: {line[:80]!r}")
        if name != b"Content-Length":
            headers.append((name, percent_decode(value)))
    return RawEvent(headers=tuple(headers), body=rest)


def parse_json(body: bytes) -> RawEvent:
    """Return the event in the body of a JSON frame, with repeated names and bytes that are not UTF-8.

    Raises DataError, or ValueError when the body is not JSON.
    """
    pairs = cast(object, json.loads(body.decode("utf-8", "surrogateescape"), object_pairs_hook=tuple))
    if not isinstance(pairs, tuple):
        raise DataError("not a JSON object")
    headers: list[Header] = []
    text = b""
    for name, value in cast(Iterable[tuple[str, object]], pairs):
        if name == "_body":
            text = _bytes(value)
        elif name != "Content-Length":
            headers.append((_bytes(name), _header_value(value)))
    return RawEvent(headers=tuple(headers), body=text)


def _header_value(value: object) -> bytes:
    if isinstance(value, list):
        return _ARRAY + _ARRAY_SEPARATOR.join(_bytes(item) for item in cast("list[object]", value))
    return _bytes(value)


def _bytes(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _json_value(value: bytes) -> bytes:
    if value.startswith(_ARRAY):
        items = value[len(_ARRAY) :].split(_ARRAY_SEPARATOR)
        return b"[" + b",".join(json_string(item) for item in items) + b"]"
    return json_string(value)
