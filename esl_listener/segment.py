"""A segment of the spool: legs in one file, each leg a record with a checksum.

A record is the magic, the length of its body, the body's CRC-32, and the body: the leg as JSON.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tollbook.model.leg import Leg

# UTF-8 never holds the byte 0xff, so no text that a caller chose can look like the beginning of a record.
_MAGIC = b"\xffTB\xfe"
_HEADER = struct.Struct("<4sII")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Leg).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentContents:
    """What the bytes of a segment hold: its legs in order, damaged stretches, and the length of a torn end."""

    legs: tuple[Leg, ...]
    damaged: tuple[bytes, ...]
    torn_bytes: int


@dataclass(kw_only=True, slots=True)
class Segment:
    """A segment that is being replayed. `legs` are merged; the writer removes each once it is committed.

    `problem` says why the file cannot be read, and is '' when it can.
    """

    path: Path
    size: int
    legs: list[Leg]
    damaged: tuple[bytes, ...] = ()
    torn_bytes: int = 0
    problem: str = ""


def encode_record(leg: Leg) -> bytes:
    """Return a leg as a record."""
    body = _encode(leg)
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def decode_segment(data: bytes) -> SegmentContents:
    """Read the bytes of a segment. Damage costs the record it is in: reading goes on at the next sound one.

    A record that is cut off by the end of the file is torn, not damaged: its write was never confirmed to anybody.
    """
    legs: list[Leg] = []
    damaged: list[bytes] = []
    at = torn = 0
    while at < len(data):
        end = _end_of_sound(data, at)
        if end:
            try:
                legs.append(_decode(data[at + _HEADER.size : end]))
            except (msgspec.DecodeError, msgspec.ValidationError):
                damaged.append(data[at:end])
            at = end
            continue
        following = _next_sound(data, at + 1)
        if following == len(data) and _is_cut_off(data, at):
            torn = len(data) - at
        else:
            damaged.append(data[at:following])
        at = following
    return SegmentContents(legs=tuple(legs), damaged=tuple(damaged), torn_bytes=torn)


def _end_of_sound(data: bytes, at: int) -> int:
    """Return where the sound record at `at` ends, 0 when there is none."""
    if len(data) - at < _HEADER.size:
        return 0
    magic, length, checksum = _HEADER.unpack_from(data, at)
    end = at + _HEADER.size + length
    if magic != _MAGIC or end > len(data):
        return 0
    return end if zlib.crc32(memoryview(data)[at + _HEADER.size : end]) == checksum else 0


def _next_sound(data: bytes, begin: int) -> int:
    """Return where the next sound record begins, the end of the data when there is none."""
    at = data.find(_MAGIC, begin)
    while at >= 0:
        if _end_of_sound(data, at):
            return at
        at = data.find(_MAGIC, at + 1)
    return len(data)


def _is_cut_off(data: bytes, at: int) -> bool:
    """Return whether the record at `at` was not written to its end, rather than damaged later."""
    if len(data) - at < _HEADER.size:
        return True
    magic, length, _ = _HEADER.unpack_from(data, at)
    return magic != _MAGIC or at + _HEADER.size + length > len(data)
