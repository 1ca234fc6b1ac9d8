"""Calls made to hold up everybody else's: what an innocent call waits for its row meanwhile."""

import itertools
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest

from tests.acceptance.played import CALLS
from tests.commands import Start
from tests.waiting import wait_until
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN
from tollbook.simulator.encoding import event_frame
from tollbook.simulator.event import RawEvent
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import RecordedEvent, Recording, load
from tollbook.simulator.thread import SwitchThread
from tollbook.times import US_PER_DAY

# Each hostile leg is one event: with a hundred in each of 200 rounds, 20,000 legs of one call at the end.
ROUNDS, LEGS_A_ROUND = 200, 100
INNOCENT = 40

Hostile = Callable[[int], dict[str, str]]


def one_parent(number: int) -> dict[str, str]:
    """Legs of one call."""
    return {"Unique-ID": str(uuid.uuid4()), "variable_originator": "root", "Call-Direction": "outbound"}


def one_id(number: int) -> dict[str, str]:
    """Calls whose Call-ID is the same, where the dialplan takes it for the Unique-ID."""
    return {"Unique-ID": "root", "Caller-Channel-Created-Time": str(time.time_ns() // 1000 + number)}


def large(number: int) -> dict[str, str]:
    """Calls whose numbers are 60 kB long."""
    return {"Caller-Caller-ID-Number": "1" * 60_000, "Caller-Destination-Number": "2" * 60_000}


def distant_days(number: int) -> dict[str, str]:
    """Calls of a switch whose clock shows another day each time."""
    return {"Caller-Channel-Created-Time": str(time.time_ns() // 1000 - (number % 5_000) * US_PER_DAY)}


def round_of(hostile: Hostile, numbers: Iterator[int]) -> Recording:
    """Return the events of one round."""
    events: list[RecordedEvent] = []
    for number in itertools.islice(numbers, LEGS_A_ROUND):
        now_us = str(time.time_ns() // 1000)
        headers = {
            "Event-Name": "CHANNEL_CREATE", "Core-UUID": "hostile", "FreeSWITCH-Switchname": "hostile",
            "Event-Date-Timestamp": now_us, "Unique-ID": str(uuid.uuid4()), "Call-Direction": "inbound",
            "Channel-Name": "sofia/external/1", "Caller-Channel-Created-Time": now_us,
        } | hostile(number)  # fmt: skip
        event = RawEvent(headers=tuple((name.encode(), value.encode()) for name, value in headers.items()))
        frames = event_frame(EVENT_PLAIN, event.plain_body()), event_frame(EVENT_JSON, event.json_body())
        events.append(RecordedEvent(event=event, plain=frames[0], json=frames[1]))
    return Recording(name="hostile", events=tuple(events), offsets_s=(0.0,) * len(events), rows=(), cdr_files=())


@contextmanager
def attacked(switch: SwitchThread, hostile: Hostile) -> Iterator[list[int]]:
    """Send rounds of hostile legs, one after the other, until the block ends; yield how many were sent so far."""
    sent, over, numbers = [0], threading.Event(), itertools.count()

    def attack() -> None:
        for _ in range(ROUNDS):
            if over.is_set():
                return
            switch.emit(made := round_of(hostile, numbers), range(len(made.events)))
            sent[0] += len(made.events)
            over.wait(0.02)

    attacking = threading.Thread(target=attack)
    attacking.start()
    try:
        yield sent
    finally:
        over.set()
        attacking.join()


def waits_s(switch: SwitchThread, connection: psycopg.Connection, count: int = INNOCENT) -> list[float]:
    """Play calls one after the other; return how long after its hangup each has its complete row."""
    template = CallTemplate(load(CALLS / "outbound_answered"))
    waits: list[float] = []
    for _ in range(count):
        call = template.fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid, switch_name="innocent")
        (row,) = call.rows
        switch.emit(call, range(len(call.events)))
        begun_s = time.monotonic()
        key = (row["start_ts"], row["call_id"])
        wait_until(partial(_complete, connection, key), 60, every_s=0.005)
        waits.append(time.monotonic() - begun_s)
    return waits


def _complete(connection: psycopg.Connection, key: tuple[int, str]) -> bool:
    query = "SELECT end_ts IS NOT NULL FROM call_cdr WHERE start_ts = %s AND call_id = %s"
    return connection.execute(query, key).fetchone() == (True,)


@pytest.mark.soak
@pytest.mark.parametrize("hostile", [one_parent, one_id, large, distant_days], ids=lambda kind: kind.__name__)
def test_an_innocent_call_has_its_row_while_a_neighbour_attacks(
    start: Start, database_url: str, hostile: Hostile
) -> None:
    """Each complete row of another switch is there soon, however many hostile legs the listener has to write."""
    assert start("db", "upgrade").process.wait(60) == 0
    with SwitchThread() as innocent, SwitchThread() as neighbour:
        listener = start("listen", esl=f"{innocent.url},{neighbour.url}")
        innocent.wait_for_subscriber(20)
        neighbour.wait_for_subscriber(20)
        with psycopg.connect(database_url, autocommit=True) as connection:
            waits_s(innocent, connection, 3)
            quiet = waits_s(innocent, connection)
            with attacked(neighbour, hostile) as sent:
                wait_until(lambda: sent[0] >= 2_000, 60)
                during = waits_s(innocent, connection)
                wait_until(lambda: sent[0] >= ROUNDS * LEGS_A_ROUND, 300)
                late = waits_s(innocent, connection)
        listener.end()
    for name, waits in (("quiet", quiet), ("attacked", during), (f"after {sent[0]:,} legs", late)):
        figures = f"median {statistics.median(waits):.3f} s, longest {max(waits):.3f} s"
        print(f"{hostile.__name__}, {name}: {figures}")  # noqa: T201 - those of docs/reliability.md, with pytest -rP
    # On a quiet machine the longest is well below a second; a loaded one may take longer, but never as long as before.
    assert max(during + late) < 5
