"""A recorded scenario: the events of one or more calls, when they came, and the rows that they must give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import msgspec

from tollbook.errors import DataError
from tollbook.esl.framing import EVENT_JSON, Frame, Framer
from tollbook.simulator.encoding import event_frame
from tollbook.simulator.event import Header, RawEvent, parse_json, parse_plain

ExpectedRow = dict[str, object]

_SHIPPED = Path(__file__).parent / "recordings"


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An event with its recorded bytes, which are sent verbatim."""

    event: RawEvent
    plain: bytes
    json: bytes

    @property
    def name(self) -> bytes:
        """The value of Event-Name."""
        return self.event.get(b"Event-Name") or b""

    @property
    def subclass(self) -> bytes | None:
        """The value of Event-Subclass, None unless the event is CUSTOM."""
        return self.event.get(b"Event-Subclass")

    @property
    def unique_id(self) -> bytes | None:
        """The channel that the event is about."""
        return self.event.get(b"Unique-ID")

    def headers(self, sequence: int) -> tuple[Header, ...]:
        """Return the recorded headers."""
        return self.event.headers

    def plain_frame(self, sequence: int) -> bytes:
        """Return the recorded plain frame."""
        return self.plain

    def json_frame(self, sequence: int) -> bytes:
        """Return the recorded JSON frame, or one made from the plain frame where none was recorded."""
        return self.json


@dataclass(frozen=True, kw_only=True)
class CdrFile:
    """A file that the switch's mod_json_cdr wrote for one leg."""

    unique_id: bytes
    name: str
    text: bytes


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One scenario. `offsets_s`: for each event, the seconds after the first one; they never fall."""

    name: str
    events: tuple[RecordedEvent, ...]
    offsets_s: tuple[float, ...]
    rows: tuple[ExpectedRow, ...]
    cdr_files: tuple[CdrFile, ...]

    def cdr_file(self, unique_id: bytes) -> CdrFile | None:
        """Return the CDR file of a leg, None where none was recorded."""
        return next((cdr for cdr in self.cdr_files if cdr.unique_id == unique_id), None)


def load(folder: Path) -> Recording:
    """Return the recording in a folder; raise DataError if it has no plain.esl or its files disagree."""
    try:
        plain = split_frames((folder / "plain.esl").read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"no recording in {folder}: it needs a plain.esl") from error
    events = [parse_plain(frame.body) for frame in plain]
    json_raw = [event_frame(EVENT_JSON, event.json_body()) for event in events]
    json_file = folder / "json.esl"
    if json_file.exists():
        # The JSON frames show what the plain encoding hides: whether the caller typed "%0A" or a newline.
        json_frames = split_frames(json_file.read_bytes())
        events = [parse_json(frame.body) for frame in json_frames]
        json_raw = [frame.raw for frame in json_frames]
    if len(events) != len(plain):
        raise DataError(f"{folder}: {len(plain)} plain frames, {len(events)} JSON frames")
    return Recording(
        name=folder.name,
        events=tuple(
            RecordedEvent(event=event, plain=frame.raw, json=raw)
            for event, frame, raw in zip(events, plain, json_raw, strict=True)
        ),
        offsets_s=_offsets(folder / "times.json", events),
        rows=_rows(folder / "rows.json"),
        cdr_files=tuple(_cdr_file(path) for path in sorted(folder.glob("json_cdr/*.json"))),
    )


def split_frames(stream: bytes) -> list[Frame]:
    """Return the event frames in recorded bytes; raise DataError where there is anything else."""
    frames: list[Frame] = []
    at = 0
    for frame in Framer().feed(stream):
        if not frame.type.startswith(b"text/event-") or not stream.startswith(frame.raw, at):
            break
        frames.append(frame)
        at += len(frame.raw)
    if at < len(stream):
        raise DataError(f"no whole event frame at byte {at}")
    return frames


def load_all(names: Iterable[str], *, folder: Path | None = None) -> list[Recording]:
    """Return recordings by name, from `folder` or from those that are shipped with Tollbook. Raises DataError."""
    return [load((folder or _SHIPPED) / name) for name in names]


def shipped_names() -> list[str]:
    """Return the names of the shipped recordings, sorted."""
    return sorted(path.name for path in _SHIPPED.iterdir() if path.is_dir())


def _offsets(times: Path, events: Sequence[RawEvent]) -> tuple[float, ...]:
    if times.exists():
        seconds = msgspec.json.decode(times.read_bytes(), type=list[float])
    else:
        seconds = [int(event.get(b"Event-Date-Timestamp") or 0) / 1e6 for event in events]
    if len(seconds) != len(events):
        raise DataError(f"{times}: {len(seconds)} times for {len(events)} events")
    # Event-Date-Timestamp is not in the order of the wire. An event is never played before one that was sent earlier.
    return tuple(second - seconds[0] for second in accumulate(seconds, max))


def _rows(path: Path) -> tuple[ExpectedRow, ...]:
    if not path.exists():
        return ()
    return tuple(msgspec.json.decode(path.read_bytes(), type=list[ExpectedRow]))


def _cdr_file(path: Path) -> CdrFile:
    unique_id = path.name.removesuffix(".json").removesuffix(".cdr").removeprefix("a_")
    return CdrFile(unique_id=unique_id.encode(), name=path.name, text=path.read_bytes())
