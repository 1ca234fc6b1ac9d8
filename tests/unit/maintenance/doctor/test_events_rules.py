"""The verdict on how events get out."""

from typing import Any

import pytest

from maintenance.doctor.finding import Status
from maintenance.doctor.rules.events import events_out
from tollbook.store.events.health import EventsOut


def found(**changed: Any) -> EventsOut:
    fields = dict.fromkeys(
        ("working", "failing", "off", "delivered", "failed", "given_up", "waiting", "late_s", "processes"), 0
    )
    return EventsOut(**fields | {"working": 2, "processes": 1} | changed)


@pytest.mark.parametrize(
    ("state", "status", "says"),
    [
        (found(working=0, processes=0), Status.OK, "no endpoint"),
        (found(), Status.OK, "2 endpoints, 0 deliveries wait; 1 processes deliver"),
        (found(processes=0, waiting=7), Status.FAIL, "nobody delivers"),
        (found(working=0, off=1, processes=0), Status.WARN, "1 are switched off"),
        (found(late_s=59), Status.OK, "deliver"), (found(late_s=61), Status.WARN, "one for"),
        (found(late_s=3601), Status.FAIL, "one for 60 min"),
        (found(failing=1), Status.WARN, "1 endpoints fail"),
    ],
)  # fmt: skip
def test_what_is_said_of_events(state: EventsOut, status: Status, says: str) -> None:
    finding = events_out(state)
    assert finding.status is status
    assert says in finding.found
