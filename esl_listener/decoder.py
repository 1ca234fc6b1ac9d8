"""Turn the body of an event frame into a `SwitchEvent`, whatever bytes it holds.

Values are decoded after the lines are split, never before: a caller's display name may hold `%0A` followed by
something that looks like a header.
"""

import json
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_BEGINS, EVENT_JSON
from tollbook.model.event import (
    DIRECTION_VARIABLE,
    SwitchEvent,
    Text,
    event_from_headers,
    event_type,
    header_names,
    tidy,
)

_encode = msgspec.json.Encoder().encode

# An answer says only when it was; decoding it into a struct of its own takes a third of the time.
_ANSWER = b'{"Event-Name":"CHANNEL_ANSWER"'

# Under this name, which no field has, `plain` finds the Content-Type: an event of its own may have one, but not ours.
_CONTENT_TYPE = "content type"


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
    name: Text = ""
    core: Text = ""
    switchname: Text = ""
    at_us: int = 0
    uid: Text = ""
    created_us: int = 0
    answered_us: int = 0


class Decoder:
    """Decodes both formats, with the operator's names for the account, the parent and the direction variable."""

    def __init__(
        self, account_variable: str, parent_variable: str, direction_variable: str = DIRECTION_VARIABLE
    ) -> None:
        self._headers = header_names(account_variable, parent_variable, direction_variable)
        # An operator may bill by a variable that a rule also reads, say user_name: it is decoded once and copied.
        fields: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        for field, header in self._headers.items():
            first = fields.setdefault(header, field)
            if first != field:
                self._copies[field] = first
        self._fields = {header.encode(): field for header, field in fields.items()} | {b"Content-Type": _CONTENT_TYPE}
        # strict=False: every header is a JSON string, and the clocks become integers.
        wire = {**self._headers, **{field: f"copied to {field}" for field in self._copies}}
        self._json = msgspec.json.Decoder(event_type(wire), strict=False)
        self._answer = msgspec.json.Decoder(_Answer, strict=False)

    def decode(self, kind: bytes, body: bytes) -> SwitchEvent:
        """Decode the body of an event frame of Content-Type `kind`. Raises FrameRefused when it holds no event."""
        return self.json(body) if kind == EVENT_JSON else self.plain(body)

    def json(self, body: bytes) -> SwitchEvent:
        """Decode the body of `event json`.

        The fast way, or the tolerant one when bytes or types are not what FreeSWITCH should send, or a value must be
        cut, or cleaned: NUL, which PostgreSQL refuses, or `_undef_`, which means that the value is not set.
        """
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
        # Searched for only in the headers that are used: scanning the whole body took as long as decoding it.
        kept = _encode(event)
        return self._tolerant(body) if b"_undef_" in kept or b"\\u0000" in kept else self._copied(event)

    def _tolerant(self, body: bytes) -> SwitchEvent:
        if EVENT_BEGINS in body:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes holds the next frame's head")
        try:
            values = json.loads(body.decode("utf-8", "replace"), strict=False)
            if not isinstance(values, dict):
                raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no event")
            headers = {name: _text(value) for name, value in cast("dict[str, Any]", values).items()}
        except (ValueError, RecursionError) as error:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes holds no JSON: {error}") from error
        return event_from_headers(headers, self._headers)

    def plain(self, body: bytes) -> SwitchEvent:
        """Decode the body of `event plain`: split the lines, then decode the values that are used."""
        head, blank, rest = body.partition(b"\n\n")
        # Bytes after the blank line are the event's own body, if it has one. If not, the frame's length was wrong, and
        # they may be the next event.
        if not blank or (rest and not head.endswith(b"\nContent-Length: %d" % len(rest))):
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
                fields[field] = tidy(field, text)
        # The head of the next frame, where the end of this one is missing.
        if str(fields.pop(_CONTENT_TYPE, "")).startswith("text/event-"):
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds the next frame's head")
        if not fields:
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds no event")
        return self._copied(SwitchEvent(**fields))

    def _copied(self, event: SwitchEvent) -> SwitchEvent:
        if not self._copies:
            return event
        return msgspec.structs.replace(event, **{to: getattr(event, first) for to, first in self._copies.items()})


def _text(value: Any) -> str:
    """Return a JSON value as the text that it has in a plain event, where arrays are `ARRAY::a|:b`."""
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(_text(item) for item in cast("list[Any]", value))
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    # An escape like \ud800 decodes to a lone surrogate, which no database takes as text.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
