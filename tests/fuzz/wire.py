"""What the fuzzer checks: bytes of a hostile switch, read by the listener between the frames of two innocent calls.

All that runs is what `tollbook listen` runs, from the framing to the row; only the socket and the database are missing.
"""

import logging
import re
import uuid
import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec
from msgspec import Struct, structs
from pydantic import SecretStr

from esl_listener.agents import AgentInbox
from esl_listener.connection import EventSocket
from esl_listener.decoder import Decoder
from esl_listener.inbox import Inbox
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics
from esl_listener.switch import SwitchListener
from maintenance.recover.json_cdr import leg_of_file
from rating.engine import Tariffs
from tests.fuzz.mutator import split
from tests.fuzz.seeds import VARIABLES_KEPT, small
from tests.paths import CALLS
from tollbook.errors import DataError, SwitchUnavailable
from tollbook.log import Outage
from tollbook.model.charge import Price
from tollbook.model.details import NO_DETAILS
from tollbook.model.event import ACCOUNT_VARIABLE, PARENT_VARIABLE, header_names
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, merge_all
from tollbook.model.record import Row
from tollbook.setting_values import EslAddress
from tollbook.simulator.recording import split_frames
from tollbook.store.calls.batch_plan import plan_batch
from tollbook.store.calls.legs import Related
from tollbook.times import CLOCK_FROM_US, CLOCK_UNTIL_US

_OUTAGE = Outage(logging.getLogger("tollbook.fuzz"))
_ADDRESS = EslAddress(host="127.0.0.1", port=1, password=SecretStr("x"))
_DECODER = Decoder(ACCOUNT_VARIABLE, PARENT_VARIABLE, variables_kept=VARIABLES_KEPT)
_HEADERS = header_names(variables_kept=VARIABLES_KEPT)
_TARIFFS, _FOLD_SETTINGS = Tariffs(), FoldSettings()

# A chunk is what one read of the socket returns: a byte, an odd number, a page, everything.
_CHUNK_BYTES = (1, 7, 64, 613, 4096, 256 * 1024)
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SAYS_SOMETHING = re.compile(rb"Event-Name\W+CHANNEL_(?:CREATE|ANSWER|HANGUP_COMPLETE)\b")
# What comes every 20 s. A head that is damaged may wait for bytes that never come, until the next event begins.
_HEARTBEAT = b"Content-Length: 23\nContent-Type: text/event-plain\n\nEvent-Name: HEARTBEAT\n\n"
_BIGINT, _INTEGER = 2**63, 2**31

Priced = tuple[Row, Price | None]


def innocent_frames() -> list[bytes]:
    """Return the frames of a recorded call in JSON and another one plain, with ids that no recording has."""
    frames = [
        small(frame)
        for name, form in (("outbound_answered", "json"), ("queue_answered_by_agent", "plain"))
        for frame in split_frames((CALLS / name / f"{form}.esl").read_bytes())
        if _SAYS_SOMETHING.search(frame.body)
    ]
    return [
        _UUID.sub(lambda found: str(uuid.uuid5(uuid.NAMESPACE_OID, found[0].decode())).encode(), raw) for raw in frames
    ]


class Wire:
    """A listener's one switch without a socket. `legs`: all that was heard, merged as the inbox merges it."""

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._switch = SwitchListener(
            _ADDRESS,
            _DECODER,
            self._inbox,
            lambda _: [],
            lambda: None,
            Liveness(),
            Metrics(),
            _OUTAGE,
            AgentInbox(),
        )
        self._connection = self._connected()

    def read(self, data: bytes) -> bool:
        """Read a chunk; return False when that ended the session, and the next chunk begins a new one."""
        connection = self._connection
        try:
            for frame in connection._framer.feed(data):
                connection._take(frame)
        except SwitchUnavailable:
            self._connection = self._connected()
            return False
        finally:
            self._switch._on_read()
        return True

    @property
    def waiting_bytes(self) -> int:
        """How much of a frame waits for its end."""
        return len(self._connection._framer._buffer)

    def legs(self) -> list[Leg]:
        """Remove and return what was heard."""
        return self._inbox.take(len(self._inbox))

    def _connected(self) -> EventSocket:
        connection = EventSocket(_ADDRESS, self._switch._on_event, self._switch._on_read)
        for frame in connection._framer.feed(b"Content-Type: auth/request\n\n"):
            connection._take(frame)
        return connection


def listen(hostile: bytes) -> list[Leg]:
    """Read hostile bytes, the innocent frames spread among them; return what was heard of each leg."""
    wire, spread = Wire(), zlib.crc32(hostile)
    chunk = _CHUNK_BYTES[spread % len(_CHUNK_BYTES)]
    if chunk < 64 and len(hostile) > 4096:
        chunk = 64  # byte by byte takes seconds
    for piece, innocent in zip(_pieces(hostile, len(_INNOCENT), spread), _INNOCENT, strict=True):
        for at in range(0, len(piece), chunk):
            wire.read(piece[at : at + chunk])
        if not wire.read(innocent):  # the hostile switch had said goodbye: a new session begins with a whole frame
            assert wire.read(innocent), "an innocent frame ended its own session"
        assert wire.waiting_bytes <= len(piece) + len(innocent), "more is kept than was read"
    wire.read(_HEARTBEAT)
    return wire.legs()


def _pieces(hostile: bytes, count: int, spread: int) -> Iterator[bytes]:
    """Cut bytes into so many pieces: usually where a frame begins, and sometimes within one."""
    begins: Sequence[int] = list(accumulate(map(len, split(hostile)), initial=0))
    if spread % 5 == 0:
        begins = range(0, len(hostile) + 1, max(1, len(hostile) // 16))
    cuts = sorted(begins[(spread >> 3) * number % len(begins)] for number in range(1, count))
    yield from (hostile[low:high] for low, high in zip([0, *cuts], [*cuts, len(hostile)], strict=True))


def fold(legs: list[Leg]) -> dict[object, Priced]:
    """Fold legs into rows as the writer does with its first batch."""
    plan = plan_batch(merge_all(legs), Related(counted={}), _FOLD_SETTINGS, _TARIFFS.price)
    return {row.key: (row, price) for row, price in plan.rows}


def check(hostile: bytes) -> None:
    """Fail if hostile bytes raise anything, make a row that cannot be stored, or change an innocent call.

    Bytes that begin with a brace are a file of mod_json_cdr.
    """
    if hostile.startswith(b"{"):
        check_cdr_file(hostile)
        return
    if any(uid.encode() in hostile for uid in _INNOCENT_IDS):
        return  # a switch may say what it likes of its own calls
    legs = listen(hostile)
    for leg in legs:
        check_leg(leg)
    rows = fold(legs)
    for row, _ in rows.values():
        check_row(row)
    for key, wanted in INNOCENT_ROWS.items():
        assert rows.get(key) == wanted, f"{rows.get(key)} instead of {wanted}"


def check_cdr_file(content: bytes) -> None:
    """Fail if a CDR file raises anything but DataError, or makes a leg or row that cannot be stored."""
    try:
        leg = leg_of_file(content, _HEADERS)
    except DataError:
        return
    check_leg(leg)
    for row, _ in fold([leg]).values():
        check_row(row)


def check_leg(leg: Leg) -> None:
    """Fail if a leg is not the same after the disk, or PostgreSQL would refuse it."""
    encoded = msgspec.json.encode(leg)
    assert msgspec.json.decode(encoded, type=Leg) == leg
    check_texts(leg)
    assert CLOCK_FROM_US <= leg.created_us < CLOCK_UNTIL_US
    assert 0 <= leg.seen_us < _BIGINT
    assert 0 <= leg.answered_us < _BIGINT


def check_row(row: Row) -> None:
    """Fail if PostgreSQL would refuse a row, or a column contradicts another."""
    check_texts(row)
    for time in (row.start_ts, row.answer_ts, row.end_ts):
        assert time is None or 0 <= time < _BIGINT
    for seconds in (row.duration_sec, row.billsec):
        assert seconds is None or 0 <= seconds < _INTEGER
    details = row.details
    for delay in (details.pdd_ms, details.ring_ms, details.wait_ms, details.talk_ms, details.hold_ms):
        assert delay is None or 0 <= delay < _BIGINT
    assert details.rx_mos is None or 1 <= details.rx_mos <= 5
    assert details.sip_status is None or 100 <= details.sip_status < 700
    assert details == NO_DETAILS or row.end_ts is not None
    assert row.answered == (row.answer_ts is not None)
    ending = (row.end_ts, row.duration_sec, row.billsec, row.disposition, row.parts)
    assert all(value is None for value in ending) or all(value is not None for value in ending), row


def check_texts(value: object) -> None:
    """Fail if a text within has a NUL, or what is no Unicode: PostgreSQL refuses both."""
    if isinstance(value, str):
        assert "\0" not in value
        value.encode()
    elif isinstance(value, Struct):
        value = structs.astuple(value)
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        for item in value:
            check_texts(item)


_INNOCENT = innocent_frames()
INNOCENT_ROWS = fold(listen(b""))
_INNOCENT_IDS = {leg.uid for leg in listen(b"")}
