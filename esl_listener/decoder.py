"""Turn the body of an event frame into a `SwitchEvent`, whatever bytes it holds.

Values are decoded after the lines are split, never before: a caller's display name may hold `%0A` followed by
something that looks like a header.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

import msgspec

from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_BEGINS, EVENT_JSON
from tollbook.model.event import (
    DIRECTION_VARIABLE,
    INTEGER_FIELDS,
    VARIABLE_PREFIX,
    SwitchEvent,
    Text,
    cut_text,
    event_from_headers,
    event_of_fields,
    header_names,
    tidy,
    tidy_integer,
)
from tollbook.model.event_kinds import (
    FIELDS_OF_A_CREATED_LEGS_END,
    FIELDS_OF_OTHERS,
    FIELDS_READ,
    headers_for,
)

_encode = msgspec.json.Encoder().encode

# Under this name, which no field has, `plain` finds the Content-Type: an event of its own may have one, but not ours.
_CONTENT_TYPE: Final = "content type"

# How FreeSWITCH begins an event. Any other beginning is read for all fields, and again if need be.
_JSON_BEGINS: Final = b'{"Event-Name":"'
_CUSTOM_BEGINS: Final = b'{"Event-Subclass":"'
_LONGEST_NAME: Final = 64
_PLAIN_NAME: Final = re.compile(rb"^Event-Name: ([A-Z_]{1,64})$", re.MULTILINE)


class _EventKind:
    """How events of one name are read: only for the headers that something is made of."""

    def __init__(self, name: str, fields: Iterable[str], headers: Mapping[str, str]) -> None:
        self.name = name
        self.headers = headers_for(fields, headers)
        # An operator may bill by a variable that a rule also reads, say user_name: it is decoded once and copied. As
        # text, if one of its fields is a text: a number says less than what was written.
        first: dict[str, str] = {}
        for field, header in sorted(self.headers.items(), key=lambda item: item[0] in INTEGER_FIELDS):
            first.setdefault(header, field)
        self.copies = {field: first[header] for field, header in self.headers.items() if first[header] != field}
        self.wanted = {header.encode(): field for header, field in first.items()} | {b"Content-Type": _CONTENT_TYPE}
        self._variables = tuple(field for field in self.headers if field.startswith(VARIABLE_PREFIX))
        self._type = self._wire_type()
        # strict=False: every header is a JSON string, and the clocks become integers.
        self._decode = msgspec.json.Decoder(self._type, strict=False).decode
        #: Decodes the body of a JSON event. Raises the errors of msgspec, and UnicodeDecodeError.
        self.decode_json = self._decode_and_copy if self.copies or self._variables else self._decode

    def _wire_type(self) -> type[SwitchEvent]:
        """Return a struct that decodes the fields of this kind, and has of all others the value that means "absent"."""
        all_fields = {field.name: field for field in msgspec.structs.fields(SwitchEvent)}
        own = [
            (name, all_fields[name].type, all_fields[name].default) for name in self.headers if name in all_fields
        ] + [(_attribute(index), Text, "") for index in range(len(self._variables))]
        names = {_attribute(index): self.headers[field] for index, field in enumerate(self._variables)}
        names |= {name: self.headers[name] for name, _, _ in own if name in all_fields}
        # A header fills one field. The others that are read from it get a name that no header has, and copies of it.
        names |= {self._attribute(field): f"copied to {field}" for field in self.copies}
        if self._variables:
            own.append(("vars", all_fields["vars"].type, ()))
            names["vars"] = "copied to vars"
        absent = {name: field.default for name, field in all_fields.items() if name not in {name for name, _, _ in own}}
        made = msgspec.defstruct(
            "WireEvent", own, rename=names, namespace=absent, frozen=True, kw_only=True, omit_defaults=True, gc=False
        )
        return cast("type[SwitchEvent]", made)

    def _attribute(self, field: str) -> str:
        return _attribute(self._variables.index(field)) if field.startswith(VARIABLE_PREFIX) else field

    def _decode_and_copy(self, body: bytes) -> SwitchEvent:
        event = self._decode(body)
        # The event is nobody else's yet, so filling it in place is safe.
        for field, source in self.copies.items():
            value = _copied(field, getattr(event, self._attribute(source)))
            msgspec.structs.force_setattr(event, self._attribute(field), value)
        if self._variables:
            stated = [
                (field.removeprefix(VARIABLE_PREFIX), getattr(event, _attribute(index)))
                for index, field in enumerate(self._variables)
            ]
            msgspec.structs.force_setattr(event, "vars", tuple(sorted(pair for pair in stated if pair[1])))
        return event


def _attribute(index: int) -> str:
    return f"variable_{index}"


def _copied(field: str, value: str | int) -> str | int:
    """Return the value of a field that is read from the header of another one, as its own type."""
    if field in INTEGER_FIELDS:
        return value if isinstance(value, int) else tidy_integer(value)
    return cut_text(str(value or ""))


class Decoder:
    """Decodes both formats, with the operator's names for the account, the parent and the direction variable.

    `variables_kept`: further variables, which are kept as they are.
    """

    def __init__(
        self,
        account_variable: str,
        parent_variable: str,
        direction_variable: str = DIRECTION_VARIABLE,
        variables_kept: Iterable[str] = (),
    ) -> None:
        headers = header_names(account_variable, parent_variable, direction_variable, variables_kept)
        self._kinds = {name: _EventKind(name, fields, headers) for name, fields in FIELDS_READ.items()}
        self._other = _EventKind("", FIELDS_OF_OTHERS, headers)
        self._end = self._kinds["CHANNEL_HANGUP_COMPLETE"]
        self._created_legs_end = _EventKind(self._end.name, FIELDS_OF_A_CREATED_LEGS_END, headers)
        self._by_name = {name.encode(): kind for name, kind in self._kinds.items()}

    def decode(self, kind: bytes, body: bytes, *, created: bool = False) -> SwitchEvent:
        """Decode the body of an event frame of Content-Type `kind`. Raises FrameRefused when it holds no event.

        `created`: the end of a leg may be read without what its creation states, which saves time in JSON alone.
        """
        return self.json(body, created=created) if kind == EVENT_JSON else self.plain(body)

    def json(self, body: bytes, *, created: bool = False) -> SwitchEvent:
        """Decode the body of `event json`; `created` as in `decode`.

        The fast way, or the tolerant one when bytes or types are not what FreeSWITCH should send, or a value must be
        cut, or cleaned: NUL, which PostgreSQL refuses, or `_undef_`, which means that the value is not set.
        """
        begin = len(_JSON_BEGINS)
        # Sliced and looked up: a third of the time of asking for each name whether the body begins with it.
        name = body[begin : body.find(b'"', begin, begin + _LONGEST_NAME)]
        kind = self._by_name.get(name)
        if kind is None:
            kind = self._kinds["CUSTOM"] if body.startswith(_CUSTOM_BEGINS) else self._other
        elif created and kind is self._end:
            kind = self._created_legs_end
        try:
            event = kind.decode_json(body)
            if event.name != kind.name and (named := self._kinds.get(event.name, self._other)) is not kind:
                event = named.decode_json(body)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            return self._tolerant(body)
        except RecursionError as error:
            raise FrameRefused(f"a JSON frame of {len(body)} bytes is nested too deeply") from error
        # Searched for only in the headers that are used: scanning the whole body took as long as decoding it.
        # A single backslash is found in a quarter of the time, and most events have none.
        kept = _encode(event)
        return self._tolerant(body) if b'"_undef_"' in kept or (b"\\" in kept and b"\\u0000" in kept) else event

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
        name = str(tidy("name", headers.get("Event-Name", "")))
        return event_from_headers(headers, self._kinds.get(name, self._other).headers)

    def plain(self, body: bytes) -> SwitchEvent:
        """Decode the body of `event plain`: split the lines, then decode the values that are used."""
        head, blank, rest = body.partition(b"\n\n")
        # Bytes after the blank line are the event's own body, if it has one. If not, the frame's length was wrong, and
        # they may be the next event.
        if not blank or (rest and not head.endswith(b"\nContent-Length: %d" % len(rest))):
            raise FrameRefused(f"a plain frame of {len(body)} bytes is cut off, or holds more than its event")
        lines = head.split(b"\n")
        found = _PLAIN_NAME.search(head)
        expected = self._kinds.get(found[1].decode(), self._other) if found else self._other
        fields = _fields(lines, expected)
        # Another line further down may name the event again.
        if (kind := self._kinds.get(str(fields.get("name", "")), self._other)) is not expected:
            fields = _fields(lines, kind)
        # The head of the next frame, where the end of this one is missing.
        if str(fields.pop(_CONTENT_TYPE, "")).startswith("text/event-"):
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds the next frame's head")
        if not fields:
            raise FrameRefused(f"a plain frame of {len(body)} bytes holds no event")
        for field, source in kind.copies.items():
            if source in fields:
                fields[field] = _copied(field, fields[source])
        return event_of_fields(fields)


def _fields(lines: Iterable[bytes], kind: _EventKind) -> dict[str, Any]:
    """Return the tidy values of the lines of a plain event that its kind is read for."""
    fields: dict[str, Any] = {}
    wanted = kind.wanted
    for line in lines:
        name, separator, value = line.partition(b": ")
        if not separator:
            continue
        field = wanted.get(name)
        if field is not None:
            text = (unquote_to_bytes(value) if b"%" in value else value).decode("utf-8", "replace")
            fields[field] = tidy(field, text)
    return fields


def _text(value: Any) -> str:
    """Return a JSON value as the text that it has in a plain event, where arrays are `ARRAY::a|:b`."""
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(_text(item) for item in cast("list[Any]", value))
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    # An escape like \ud800 decodes to a lone surrogate, which no database takes as text.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
