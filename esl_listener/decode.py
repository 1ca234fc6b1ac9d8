"""Turn the body of an event frame into an `Event`, whatever bytes it holds.

Values are decoded after the lines are split, never before: a caller's display name may hold `%0A` and whatever
looks like a header behind it.
"""

import json
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.errors import FrameRefused
from tollbook.model.event import (
    INTEGER_FIELDS,
    Event,
    event_from_headers,
    event_type,
    header_names,
    tidy_integer,
    tidy_text,
)

JSON = b"text/event-json"
PLAIN = b"text/event-plain"

_encode = msgspec.json.Encoder().encode

# An answer says one thing; reading it into a struct of its own takes a third of the time.
_ANSWER = b'{"Event-Name":"CHANNEL_ANSWER"'


class _Answer(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "name": "Event-Name",
        "core": "Core-UUID",
        "switchname": "FreeSWITCH-Switchname",
        "at_us": "Event-Date-Timestamp",
        "uid": "Unique-ID",
        "created_us": "Caller-Channel-Created-Time",
        "answered_us": "Caller-Channel-Answered-Time",
    },
):
    name: str = ""
    core: str = ""
    switchname: str = ""
    at_us: int = 0
    uid: str = ""
    created_us: int = 0
    answered_us: int = 0


class Decoder:
    """Decodes both formats for the operator's variable names."""

    def __init__(self, account_variable: str, parent_variable: str) -> None:
        self._headers = header_names(account_variable, parent_variable)
        # strict=False: every header is a JSON string, and the clocks are to be integers.
        self._json = msgspec.json.Decoder(event_type(self._headers), strict=False)
        self._answer = msgspec.json.Decoder(_Answer, strict=False)
        self._fields = {header.encode(): field for field, header in self._headers.items()}

    def decode(self, kind: bytes, body: bytes) -> Event:
        """Decode an event frame's body; raises FrameRefused when there is no event in it."""
        return self.json(body) if kind == JSON else self.plain(body)

    def json(self, body: bytes) -> Event:
        """Decode `event json`: fast, and tolerantly when bytes or types are not what FreeSWITCH should send,
        or when a value needs tidying: NUL, which PostgreSQL refuses, or `_undef_`, which means nothing."""
        try:
            event = (
                Event(**msgspec.structs.asdict(self._answer.decode(body)))
                if body.startswith(_ANSWER)
                else self._json.decode(body)
            )
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            return self._tolerant(body)
        # Looked for in the wanted headers alone: scanning the whole body for both took as long as decoding it.
        kept = _encode(event)
        return self._tolerant(body) if b"_undef_" in kept or b"\\u0000" in kept else event

    def _tolerant(self, body: bytes) -> Event:
        try:
            # surrogates come from \ud800 escapes, which are no text for any database
            values = json.loads(body.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError) as error:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no JSON: {error}") from error
        if not isinstance(values, dict):
            raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no event")
        headers = cast("dict[str, Any]", values)
        return event_from_headers({name: _text(value) for name, value in headers.items()}, self._headers)

    def plain(self, body: bytes) -> Event:
        """Decode `event plain`: split the lines, then decode each wanted value."""
        fields: dict[str, Any] = {}
        wanted = self._fields
        for line in body.split(b"\n"):
            name, separator, value = line.partition(b": ")
            if not separator:
                if not line:
                    break  # the event's own body follows, which is no header
                continue
            field = wanted.get(name)
            if field is not None:
                text = (unquote_to_bytes(value) if b"%" in value else value).decode("utf-8", "replace")
                fields[field] = tidy_integer(text) if field in INTEGER_FIELDS else tidy_text(text)
        if not fields:
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds no event")
        return Event(**fields)


def _text(value: Any) -> str:
    """Give a JSON value the text it has in a plain event: arrays as FreeSWITCH writes them there."""
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(_text(one) for one in cast("list[Any]", value))
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
