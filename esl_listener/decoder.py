"""Turn the body of an event frame into a `SwitchEvent`, whatever bytes it holds.

Values are decoded after the lines are split, never before: a caller's display name may hold `%0A` and whatever
looks like a header behind it.
"""

import json
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_JSON
from tollbook.model.event import (
    INTEGER_FIELDS,
    SwitchEvent,
    event_from_headers,
    event_type,
    header_names,
    tidy_integer,
    tidy_text,
)

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
        # An operator may bill by a variable that a rule reads too, say user_name: it is read once, and copied.
        fields: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        for field, header in self._headers.items():
            first = fields.setdefault(header, field)
            if first != field:
                self._copies[field] = first
        self._fields = {header.encode(): field for header, field in fields.items()}
        # strict=False: every header is a JSON string, and the clocks are to be integers.
        wire = {**self._headers, **{field: f"copied to {field}" for field in self._copies}}
        self._json = msgspec.json.Decoder(event_type(wire), strict=False)
        self._answer = msgspec.json.Decoder(_Answer, strict=False)

    def decode(self, kind: bytes, body: bytes) -> SwitchEvent:
        """Decode an event frame's body; raises FrameRefused when there is no event in it."""
        return self.json(body) if kind == EVENT_JSON else self.plain(body)

    def json(self, body: bytes) -> SwitchEvent:
        """Decode `event json`: fast, and tolerantly when bytes or types are not what FreeSWITCH should send,
        or when a value needs tidying: NUL, which PostgreSQL refuses, or `_undef_`, which means nothing."""
        try:
            if body.startswith(_ANSWER):
                said = self._answer.decode(body)
                if "\0" in said.name + said.core + said.switchname + said.uid:
                    return self._tolerant(body)
                return SwitchEvent(
                    name=said.name,
                    core=said.core,
                    switchname=said.switchname,
                    at_us=said.at_us,
                    uid=said.uid,
                    created_us=said.created_us,
                    answered_us=said.answered_us,
                )
            event = self._json.decode(body)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            return self._tolerant(body)
        except RecursionError as error:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes is nested too deeply") from error
        # Looked for in the wanted headers alone: scanning the whole body for both took as long as decoding it.
        kept = _encode(event)
        return self._tolerant(body) if b"_undef_" in kept or b"\\u0000" in kept else self._copied(event)

    def _tolerant(self, body: bytes) -> SwitchEvent:
        try:
            # surrogates come from \ud800 escapes, which are no text for any database
            values = json.loads(body.decode("utf-8", "replace"), strict=False)
            if not isinstance(values, dict):
                raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no event")
            headers = {name: _text(value) for name, value in cast("dict[str, Any]", values).items()}
        except (ValueError, RecursionError) as error:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no JSON: {error}") from error
        return event_from_headers(headers, self._headers)

    def plain(self, body: bytes) -> SwitchEvent:
        """Decode `event plain`: split the lines, then decode each wanted value."""
        head, blank, rest = body.partition(b"\n\n")
        # What follows the blank line is the event's own body, if it has one. Otherwise the frame's length was wrong.
        if not blank or (rest and b"\nContent-Length: " not in head):
            raise FrameRefused(f"a plain frame of {len(body)} bytes is cut off, or holds more than its event")
        fields: dict[str, Any] = {}
        wanted = self._fields
        for line in head.split(b"\n"):
            name, separator, value = line.partition(b": ")
            if not separator:
                continue
            field = wanted.get(name)
            if field is not None:
                text = (unquote_to_bytes(value) if b"%" in value else value).decode("utf-8", "replace")
                fields[field] = tidy_integer(text) if field in INTEGER_FIELDS else tidy_text(text)
        if not fields:
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds no event")
        return self._copied(SwitchEvent(**fields))

    def _copied(self, event: SwitchEvent) -> SwitchEvent:
        if not self._copies:
            return event
        return msgspec.structs.replace(event, **{to: getattr(event, first) for to, first in self._copies.items()})


def _text(value: Any) -> str:
    """Give a JSON value the text it has in a plain event: arrays as FreeSWITCH writes them there."""
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(_text(one) for one in cast("list[Any]", value))
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
