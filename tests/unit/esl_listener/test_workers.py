"""Workers: whose switches are whose, and one page of metrics that never counts backwards."""

import dataclasses
from pathlib import Path

import msgspec
import pytest

from esl_listener.metrics import Metrics, State, SwitchState
from esl_listener.worker_report import read_report, report
from esl_listener.workers import share_out
from esl_listener.workers_page import WorkersPage

NOWHERE = Path("/dev/null/data")


@pytest.mark.parametrize(
    ("switches", "workers", "shares"),
    [
        ("abcde", 1, ["abcde"]),
        ("abcde", 2, ["ace", "bd"]),
        ("abcde", 5, ["a", "b", "c", "d", "e"]),
        ("ab", 3, ["a", "b"]),
    ],
)
def test_each_switch_is_one_workers_and_no_worker_has_none(switches: str, workers: int, shares: list[str]) -> None:
    assert share_out(switches, workers) == shares


def message(events: int, address: str = "a:1", *, legs: int = 0, silent_s: float = 0.0, full: bool = False) -> str:
    switch = SwitchState(address=address, is_connected=True, lag_s=0.5)
    state = State(
        legs=legs, spool_bytes=1, spool_max_bytes=9, spool_full=full, database_silent_s=silent_s, switches=[switch]
    )
    return report(Metrics(events=events), state)


def test_a_report_is_a_sign_of_life_that_holds_all_that_was_counted() -> None:
    """A newer field would be missing from the page without a word."""
    counted = Metrics(**{field.name: number for number, field in enumerate(dataclasses.fields(Metrics), 1)})
    state = State(legs=3, spool_bytes=4, spool_max_bytes=5, spool_full=True, database_silent_s=0.5, switches=[])
    told = report(counted, state)
    assert told.startswith("WATCHDOG=1\n")
    read = read_report(told)
    assert read is not None
    assert (read.metrics, msgspec.to_builtins(read.state)) == (counted, msgspec.to_builtins(state))
    assert read.cpu_s > 0
    assert read.resident_bytes > 1_000_000


@pytest.mark.parametrize("text", ["", "READY=1", "WATCHDOG=1\nX_TOLLBOOK_REPORT={", "X_TOLLBOOK_REPORT=\ufffd"])
def test_what_is_no_whole_report_is_left(text: str) -> None:
    """A datagram may be cut off; the next one comes a second later."""
    assert read_report(text) is None


def test_counters_are_added_up_and_never_fall_when_a_worker_starts_anew() -> None:
    """Prometheus would take a fall for a start of all, and count everything once more."""
    page = WorkersPage({"worker-1": ["a:1"], "worker-2": ["b:1"]}, lambda _: True, NOWHERE)
    page.hear("worker-1", 11, message(100))
    page.hear("worker-2", 12, message(40))
    page.hear("worker-2", 12, message(50))
    assert page.metrics().events == 150
    page.hear("worker-2", 13, message(0))
    assert page.metrics().events == 150
    page.hear("worker-2", 13, message(7))
    page.hear("worker-2", 14, message(1))
    assert page.metrics().events == 158
    samples = {
        (sample.name, sample.labels.get("worker", "")): sample.value
        for metric in page.collect()
        for sample in metric.samples
    }
    assert samples["tollbook_worker_starts_total", "worker-1"] == 1
    assert samples["tollbook_worker_starts_total", "worker-2"] == 3
    assert samples["tollbook_workers_ready", ""] == 2


def test_the_state_is_that_of_all_and_a_worker_that_is_gone_hears_nothing() -> None:
    gone = {"worker-2"}
    page = WorkersPage({"worker-1": ["a:1"], "worker-2": ["b:1"]}, lambda name: name not in gone, NOWHERE)
    assert [switch.is_connected for switch in page.state().switches] == [False, False]  # nobody has said anything yet
    page.hear("worker-1", 11, message(1, legs=2, silent_s=3.0))
    page.hear("worker-2", 12, message(1, "b:1", legs=5, silent_s=1.0, full=True))
    heard = [(switch.address, switch.is_connected) for switch in page.state().switches]
    assert heard == [("a:1", True), ("b:1", False)]
    gone.clear()
    state = page.state()
    assert [switch.is_connected for switch in state.switches] == [True, True]
    assert (state.legs, state.spool_bytes, state.spool_max_bytes, state.spool_full) == (7, 2, 18, True)
    assert state.database_silent_s == 3.0
