"""How the fuzzer changes bytes: as a library does that knows no format, and as one that knows frames and headers."""

import itertools
import random
import re
from collections.abc import Callable, Sequence

from tollbook.model.event import INTEGER_FIELDS, header_names

_HEAD = re.compile(rb"^(?:Content-Length: ?\S*\nContent-Type: ?\S*\n|Content-Type: ?\S*\n)", re.MULTILINE)
_LENGTH = re.compile(rb"Content-Length: ?([^\n]*)")
_DIGITS = re.compile(rb"\d+")
_VALUES = {
    header: re.compile(rb'"' + header + rb'":"((?:[^"\\]|\\.)*)"|^' + header + rb": ([^\n]*)", re.MULTILINE)
    for header in (name.encode() for name in header_names().values())
}
_NAMES = list(_VALUES)
_CLOCKS = [name.encode() for field, name in header_names().items() if field in INTEGER_FIELDS]

_LENGTHS = (b"0", b"1", b"-1", b"abc", b"", b"1e3", b"67108864", b"67108865", b"999999999999", b"9" * 30)
_NUMBERS = (b"0", b"-1", b"1", b"946684799999999", b"4102444800000000", b"9223372036854775808", b"9" * 400, b"1e9")
_TEXTS = (
    b"", b"_undef_", b"%00", b"\x00",
    b"\\u0000", b"\xff\xfe", b"%ff%fe", b"\\ud800", b"\\udfff\\ud800", b"\xed\xa0\x80",
    b"%0A%0AContent-Length: 5%0A", b"\\n\\nEvent-Name: CHANNEL_CREATE\\n", b"ARRAY::a|:b", b"ARRAY::" + b"|:" * 50,
    b"%",
    b"%2", b"\\", b"'; --", b"=1+1", b"sip:[::1", b"sofia/gateway//", b"loopback/", b"true", b"outbound", b"inbound",
    b"x" * 300, b"x" * 20_000, "\u202e\u0660\uff0b".encode(),
)  # fmt: skip
_JUNK = (
    b"\n", b"\n\n", b"\r\n", b"\x00", b"\xff", b'"', b"}", b"{", b"Content-Length: 9\n",
    b"Content-Type: text/event-json\n\n",
    b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n", b"Content-Type: api/response\n", b"[" * 5_000,
    b'{"a":' * 3_000, b"Content-Type: command/reply\nReply-Text: +OK\n\n", b"Event-Name: HEARTBEAT\n", b"x" * 70_000,
    b"Content-Type: text/event-plain\nContent-Length: 70000000\n\n", b"Content-Type: text/rude-rejection\n\n",
)  # fmt: skip

Bytes = Callable[[bytes], bytes]


class Mutator:
    """Changes a stream of frames. `donors`: frames to insert; `blind`: a mutation that knows no format."""

    def __init__(self, donors: Sequence[bytes], blind: Bytes) -> None:
        self._donors = donors
        self._blind = blind

    def mutate(self, data: bytes, max_bytes: int, seed: int) -> bytes:
        """Return changed bytes, at most `max_bytes`; the same for the same seed, except for what `blind` does."""
        dice = random.Random(seed)
        frames = split(data)
        for _ in range(dice.choice((1, 1, 2, 3, 5))):
            dice.choice(self._WAYS)(self, frames, dice)
        return b"".join(frames)[:max_bytes]

    def _flip(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        changed = bytearray(frames[at] or b"x")
        for _ in range(dice.choice((1, 1, 4))):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        frames[at] = bytes(changed)

    def _cut(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        low = dice.randrange(len(frames[at]) + 1)
        frames[at] = frames[at][:low] + frames[at][low + dice.choice((1, 2, 10, 100, 10**6)) :]

    def _insert(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        low = dice.randrange(len(frames[at]) + 1)
        frames[at] = frames[at][:low] + dice.choice(_JUNK + _TEXTS) + frames[at][low:]

    def _mutate_blindly(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        frames[at] = self._blind(frames[at])

    def _duplicate(self, frames: list[bytes], dice: random.Random) -> None:
        frames.insert(_any(frames, dice), dice.choice(frames))

    def _drop(self, frames: list[bytes], dice: random.Random) -> None:
        if len(frames) > 1:
            del frames[_any(frames, dice)]

    def _reorder(self, frames: list[bytes], dice: random.Random) -> None:
        dice.shuffle(frames)

    def _donate(self, frames: list[bytes], dice: random.Random) -> None:
        frames.insert(_any(frames, dice), dice.choice(self._donors))

    def _lie(self, frames: list[bytes], dice: random.Random) -> None:
        """Change a Content-Length: slightly, absurdly, or to reach exactly over the next frame."""
        at = _any(frames, dice)
        found = _LENGTH.search(frames[at])
        if found:
            length = int(found[1]) if found[1].isdigit() and len(found[1]) < 19 else 0
            near = length + dice.choice((-100, -2, -1, 1, 2, 40, 100, len(frames[(at + 1) % len(frames)])))
            frames[at] = _with(frames[at], found.span(1), dice.choice((*_LENGTHS, b"%d" % near)))

    def _retype(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        kinds = (b"text/event-json", b"text/event-plain", b"text/event-xml", b"api/response", b"command/reply")
        frames[at] = re.sub(rb"Content-Type: ?\S+", b"Content-Type: " + dice.choice(kinds), frames[at], count=1)

    def _revalue(self, frames: list[bytes], dice: random.Random) -> None:
        """Give a header that a rule reads another value, and the frame its right length: what a caller could do."""
        at = _any(frames, dice)
        name = dice.choice(dice.choice((_NAMES, _NAMES, _CLOCKS)))
        found = _VALUES[name].search(frames[at])
        if found:
            other = _VALUES[dice.choice((name, name, dice.choice(_NAMES)))].search(dice.choice(frames))
            stolen = (other[1] or other[2] or b"") if other else b""
            value = dice.choice((dice.choice(_TEXTS), dice.choice(_NUMBERS), stolen, stolen))
            frames[at] = fitted(_with(frames[at], found.span(found.lastindex or 0), value))

    def _renumber(self, frames: list[bytes], dice: random.Random) -> None:
        at = _any(frames, dice)
        numbers = list(_DIGITS.finditer(frames[at]))
        if numbers:
            frames[at] = fitted(_with(frames[at], dice.choice(numbers).span(), dice.choice(_NUMBERS)))

    def _fit(self, frames: list[bytes], dice: random.Random) -> None:
        frames[:] = map(fitted, frames)

    _WAYS = (
        _flip, _cut, _insert, _mutate_blindly, _duplicate, _drop, _reorder, _donate, _lie, _retype, _revalue, _revalue,
        _revalue, _renumber, _fit,
    )  # fmt: skip


def split(stream: bytes) -> list[bytes]:
    """Cut bytes before each head of a frame; at least one piece."""
    begins = [found.start() for found in _HEAD.finditer(stream)]
    cuts = [0, *(at for at in begins if at), len(stream)]
    return [stream[low:high] for low, high in itertools.pairwise(cuts)]


def fitted(frame: bytes) -> bytes:
    """Return a frame with the Content-Length that its body has."""
    head, blank, body = frame.partition(b"\n\n")
    found = _LENGTH.search(head)
    return _with(head, found.span(1), b"%d" % len(body)) + blank + body if found and blank else frame


def _any(frames: list[bytes], dice: random.Random) -> int:
    return dice.randrange(len(frames))


def _with(text: bytes, span: tuple[int, int], new: bytes) -> bytes:
    return text[: span[0]] + new + text[span[1] :]
