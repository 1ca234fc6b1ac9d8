"""Bytes with slots: a recorded call's rendered bytes, cut once at everything that differs between two copies of it.

What differs (ids, the switch's name, times) keeps its place and nearly always its width. A copy is shifted by whole
seconds, so that of a time in seconds, ms or µs only the first ten digits change.
"""

import re
import time
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Literal

from tollbook.simulator.encoding import json_string, percent_encode

Kind = Literal["sequence", "core", "switch", "uuid", "suffix", "epoch", "stamp", "date"]

SEQUENCE = 0  # the index of the slot that the switch fills when it sends the event

# Ten digits are a time of the recording, and not a phone number, if they lie this near to its events.
_NEAR_S = 600

_START = rb"(?:(?<=%[0-9A-F]{2})|(?<![0-9A-Za-z+]))"
_COLON = rb"(?::|%3A)"
_SPACE = rb"(?: |%20)"
_CLOCK = rb"\d\d" + _COLON + rb"\d\d" + _COLON + rb"\d\d"
_SLOT = (
    rb"(?P<sequence>(?:(?<=^Event-Sequence: )|(?<=,\"Event-Sequence\":\"))\d+)"
    rb"|(?P<switch>(?:(?<=FreeSWITCH-Switchname: )|(?<=FreeSWITCH-Switchname\":\")|(?<=\"switchname\":\"))"
    rb"[\w.-]+)"
    rb"|(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])"
    rb"|(?P<epoch>" + _START + rb"\d{10}(?=(?:\d{3}|\d{6})?(?!\d)))"
    rb"|(?P<stamp>" + _START + rb"\d{4}-\d\d-\d\d" + _SPACE + _CLOCK + rb")"
    rb"|(?P<date>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)," + _SPACE + rb"\d\d" + _SPACE + rb"[A-Z][a-z]{2}" + _SPACE
    + rb"\d{4}" + _SPACE + _CLOCK + _SPACE + rb"GMT)"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One thing that differs: a recorded id (`text`) or epoch second; `encoded`: it stands there percent-encoded."""

    kind: Kind
    text: bytes = b""
    second: int = 0
    encoded: bool = False


@dataclass(frozen=True, kw_only=True)
class Slotted:
    """Bytes cut at their slots. `parts` alternates literals and gaps; `slots` are indexes into a copy's values."""

    parts: tuple[bytes, ...]
    slots: tuple[int, ...]

    def fill(self, values: Sequence[bytes]) -> bytes:
        """Return the bytes with a copy's values in the slots."""
        if len(self.slots) < 2:  # itemgetter of one index returns no tuple
            return self.parts[0] if not self.slots else self.parts[0] + values[self.slots[0]] + self.parts[2]
        parts = list(self.parts)
        parts[1::2] = itemgetter(*self.slots)(values)
        return b"".join(parts)


@dataclass(frozen=True, kw_only=True)
class SlotTable:
    """The slots of one recording, in the order of a copy's values.

    `cores`: the recorded Core-UUIDs. `odd_ids`: the channel ids that are not UUIDs. `first_s`, `last_s`: the epoch
    seconds between which the recording was made.
    """

    cores: frozenset[bytes]
    odd_ids: frozenset[bytes]
    first_s: int
    last_s: int
    indexes: dict[Slot, int] = field(default_factory=lambda: {Slot(kind="sequence"): SEQUENCE})

    def cut(self, text: bytes) -> Slotted:
        """Return rendered bytes (a plain body, a JSON body, a CDR file, an id) cut at their slots."""
        parts: list[bytes] = []
        slots: list[int] = []
        end = 0
        for found in self._pattern().finditer(text):
            slot = self._slot(found)
            if slot is None:
                continue
            # A suffix comes after an id that stays; everything else replaces what was found.
            start = found.end() if slot.kind == "suffix" else found.start()
            parts += [text[end:start], b""]
            slots.append(self.indexes.setdefault(slot, len(self.indexes)))
            end = found.end()
        parts.append(text[end:])
        return Slotted(parts=tuple(parts), slots=tuple(slots))

    def _pattern(self) -> re.Pattern[bytes]:
        forms = {form for odd_id in self.odd_ids for form in _forms(odd_id)}
        longest_first = sorted(forms, key=len, reverse=True)
        odd = b"|".join(re.escape(form) for form in longest_first)
        return _compile(rb"(?P<odd>" + _START + rb"(?:" + odd + rb")(?![\w-]))|" if odd else b"")

    def _slot(self, found: re.Match[bytes]) -> Slot | None:
        text = found[0]
        match found.lastgroup:
            case "sequence":
                return Slot(kind="sequence")
            case "switch":
                return Slot(kind="switch")
            case "odd":
                return Slot(kind="suffix", text=next(odd for odd in self.odd_ids if text in _forms(odd)))
            case "uuid":
                return Slot(kind="core") if text in self.cores else Slot(kind="uuid", text=text)
            case "stamp" | "date" as kind:
                plain = text.replace(b"%20", b" ").replace(b"%3A", b":").decode()
                pattern = _PATTERNS[kind]
                return self._time(kind, timegm(time.strptime(plain, pattern)), encoded=plain.encode() != text)
            case _:
                return self._time("epoch", int(text), encoded=False)

    def _time(self, kind: Kind, second: int, *, encoded: bool) -> Slot | None:
        near = self.first_s - _NEAR_S <= second <= self.last_s + _NEAR_S
        return Slot(kind=kind, second=second, encoded=encoded) if near else None


def fill_values(
    slots: Iterable[Slot],
    *,
    shift_s: int,
    core: bytes,
    switch: bytes,
    ids: Mapping[bytes, bytes],
    suffix: bytes,
) -> list[bytes]:
    """Return one copy's values for the slots. `ids` maps recorded UUIDs to new ones."""
    values: list[bytes] = []
    for slot in slots:
        match slot.kind:
            case "core":
                values.append(core)
            case "switch":
                values.append(switch)
            case "uuid":
                values.append(ids[slot.text])
            case "suffix":
                values.append(suffix)
            case "epoch":
                values.append(b"%d" % (slot.second + shift_s))
            case "stamp" | "date" as kind:
                values.append(_written(kind, slot.second + shift_s, slot.encoded))
            case "sequence":
                values.append(b"0")
    return values


_PATTERNS = {"stamp": "%Y-%m-%d %H:%M:%S", "date": "%a, %d %b %Y %H:%M:%S GMT"}


@lru_cache(maxsize=4096)  # many copies begin within the same second
def _written(kind: Literal["stamp", "date"], second: int, encoded: bool) -> bytes:
    text = time.strftime(_PATTERNS[kind], time.gmtime(second)).encode()
    return percent_encode(text) if encoded else text


@lru_cache(maxsize=256)
def _compile(odd: bytes) -> re.Pattern[bytes]:
    return re.compile(odd + _SLOT, re.MULTILINE)


def _forms(text: bytes) -> frozenset[bytes]:
    return frozenset((text, percent_encode(text), json_string(text)[1:-1]))
