"""A fresh copy of a recorded call: new ids, and times shifted so that it begins now."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN
from tollbook.simulator.encoding import event_frame
from tollbook.simulator.event import Header, RawEvent, parse_json
from tollbook.simulator.recording import CdrFile, ExpectedRow, Recording
from tollbook.simulator.slots import SEQUENCE, Slot, SlotTable, Slotted, fill_values
from tollbook.times import US_PER_SECOND

_TIME_COLUMNS = ("start_ts", "answer_ts", "end_ts")


@dataclass(frozen=True, kw_only=True)
class EventTemplate:
    """One event of a recording, in both formats, cut at its slots."""

    name: bytes
    subclass: bytes | None
    plain: Slotted
    json: Slotted
    unique_id: Slotted | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshEvent:
    """One event of a fresh copy, rendered only when it is sent."""

    template: EventTemplate
    values: Sequence[bytes]

    @property
    def name(self) -> bytes:
        """The value of Event-Name."""
        return self.template.name

    @property
    def subclass(self) -> bytes | None:
        """The value of Event-Subclass, None unless the event is CUSTOM."""
        return self.template.subclass

    @property
    def unique_id(self) -> bytes | None:
        """The copy's own id of the channel that the event is about."""
        slotted = self.template.unique_id
        return None if slotted is None else slotted.fill(self.values)

    def headers(self, sequence: int) -> tuple[Header, ...]:
        """Return the decoded headers."""
        return parse_json(self._fill(self.template.json, sequence)).headers

    def plain_frame(self, sequence: int) -> bytes:
        """Return the plain frame."""
        return event_frame(EVENT_PLAIN, self._fill(self.template.plain, sequence))

    def json_frame(self, sequence: int) -> bytes:
        """Return the JSON frame."""
        return event_frame(EVENT_JSON, self._fill(self.template.json, sequence))

    def _fill(self, slotted: Slotted, sequence: int) -> bytes:
        values = list(self.values)
        values[SEQUENCE] = b"%d" % sequence
        return slotted.fill(values)


@dataclass(frozen=True, kw_only=True)
class FreshCall:
    """A copy of a recording. `shift_s`: whole seconds between the recorded times and the copy's."""

    template: "CallTemplate"
    values: Sequence[bytes]
    shift_s: int

    def event(self, index: int) -> FreshEvent:
        """Return one event."""
        return FreshEvent(template=self.template.events[index], values=self.values)

    @property
    def events(self) -> list[FreshEvent]:
        """All events, in the order of the wire."""
        return [self.event(index) for index in range(len(self.template.events))]

    @property
    def rows(self) -> list[ExpectedRow]:
        """The rows that this copy must give, with its own ids and times (epoch ms)."""
        return [self._row(row, call_id) for row, call_id in self.template.rows]

    def cdr_file(self, unique_id: bytes) -> CdrFile | None:
        """Return the CDR file of the leg with this fresh id, None if none was recorded."""
        for recorded, name, text in self.template.cdr_files:
            if recorded.fill(self.values) == unique_id:
                return CdrFile(unique_id=unique_id, name=name.fill(self.values).decode(), text=text.fill(self.values))
        return None

    def _row(self, row: ExpectedRow, call_id: Slotted) -> ExpectedRow:
        fresh = row | {"call_id": call_id.fill(self.values).decode()}
        for column in _TIME_COLUMNS:
            value = row.get(column)
            if isinstance(value, int):
                fresh[column] = value + self.shift_s * 1000
        return fresh


class CallTemplate:
    """A recording prepared for copying: everything that can be done once is done here.

    A copy is shifted by whole seconds, because the clock seconds that are billed depend on where a call begins within
    its second.
    """

    def __init__(self, recording: Recording) -> None:
        events = [recorded.event for recorded in recording.events]
        stamps = [int(event.get(b"Event-Date-Timestamp") or 0) for event in events]
        self.recording = recording
        self._first_us = stamps[0]
        self._table = SlotTable(
            cores=frozenset(event.get(b"Core-UUID") or b"" for event in events),
            odd_ids=frozenset(filter(_is_odd, (event.get(b"Unique-ID") or b"" for event in events))),
            first_s=min(stamps) // US_PER_SECOND,
            last_s=max(stamps) // US_PER_SECOND,
        )
        cut = self._table.cut
        self.events = tuple(self._cut_event(event) for event in events)
        self.rows = tuple((row, cut(str(row["call_id"]).encode())) for row in recording.rows)
        self.cdr_files = tuple(
            (cut(cdr.unique_id), cut(cdr.name.encode()), cut(cdr.text)) for cdr in recording.cdr_files
        )

    def fresh(self, now_us: int, *, core_uuid: str | None = None, switch_name: str | None = None) -> FreshCall:
        """Return a copy that begins within the second before `now_us` (epoch µs).

        It has the recorded Core-UUID and switch name unless others are given.
        """
        shift_s = (now_us - self._first_us) // US_PER_SECOND
        slots = self._slots
        values = fill_values(
            slots,
            shift_s=shift_s,
            core=core_uuid.encode() if core_uuid else self._recorded(b"Core-UUID"),
            switch=switch_name.encode() if switch_name else self._recorded(b"FreeSWITCH-Switchname"),
            ids={slot.text: str(uuid.uuid4()).encode() for slot in slots if slot.kind == "uuid"},
            suffix=b"-" + uuid.uuid4().hex[:8].encode(),
        )
        return FreshCall(template=self, values=values, shift_s=shift_s)

    @cached_property
    def _slots(self) -> tuple[Slot, ...]:
        return tuple(self._table.indexes)

    def _recorded(self, name: bytes) -> bytes:
        return self.recording.events[0].event.get(name) or b""

    def _cut_event(self, event: RawEvent) -> EventTemplate:
        unique_id = event.get(b"Unique-ID")
        return EventTemplate(
            name=event.get(b"Event-Name") or b"",
            subclass=event.get(b"Event-Subclass"),
            plain=self._table.cut(event.plain_body()),
            json=self._table.cut(event.json_body()),
            unique_id=None if unique_id is None else self._table.cut(unique_id),
        )


def fresh(recording: Recording, now_us: int) -> FreshCall:
    """Return one fresh copy. For many copies keep a `CallTemplate`."""
    return CallTemplate(recording).fresh(now_us)


def _is_odd(unique_id: bytes) -> bool:
    if not unique_id:
        return False
    try:
        return str(uuid.UUID(unique_id.decode("ascii", "replace"))).encode() != unique_id
    except ValueError:
        return True
