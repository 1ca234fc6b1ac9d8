"""What fails again and again is logged at its start, once a minute and at its end, whatever its rhythm."""

import logging
import re

import pytest

from tollbook.log import Outage

LOGGER = logging.getLogger("test.outage")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER.name)


def run(outage: Outage, clock: Clock, events: str) -> None:
    """Let a second pass for each letter: F fails, E succeeds, - is nothing."""
    for letter in events:
        if letter == "F":
            outage.fail(logging.ERROR, "away")
        elif letter == "E":
            outage.end(logging.WARNING, "back")
        clock.now_s += 1


def test_one_line_at_the_start_one_a_minute_one_at_the_end(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Two failures a second for 150 seconds: four lines."""
    outage = Outage(LOGGER, clock=clock)
    for _ in range(150):
        outage.fail(logging.ERROR, "away")
        outage.fail(logging.ERROR, "away")
        clock.now_s += 1
    outage.end(logging.WARNING, "back")
    assert caplog.messages == [
        "away", "away for_s=60 failures=121", "away for_s=120 failures=241", "back lasted_s=150 failures=300"
    ]  # fmt: skip


def test_success_without_a_failure_says_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    run(Outage(LOGGER, clock=clock), clock, "EEE")
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ("FEEE", ["away", "back lasted_s=1 failures=1"]),
        ("FE" * 3, ["away", "back lasted_s=1 failures=1"] * 3),
    ],
)
def test_each_outage_has_its_own_lines(
    clock: Clock, caplog: pytest.LogCaptureFixture, events: str, lines: list[str]
) -> None:
    run(Outage(LOGGER, clock=clock), clock, events)
    assert caplog.messages == lines


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ("FE" * 20, ["away"]),
        ("FE" * 40, ["away", "away for_s=60 failures=31"]),
        ("FEFE---E", ["away", "back lasted_s=7 failures=2"]),
        ("F---EF---E", ["away", "back lasted_s=4 failures=1", "away", "back lasted_s=4 failures=1"]),
    ],
)
def test_what_comes_and_goes_is_one_outage(
    clock: Clock, caplog: pytest.LogCaptureFixture, events: str, lines: list[str]
) -> None:
    """It ends only with a success `settle_s` after the last failure."""
    run(Outage(LOGGER, clock=clock, settle_s=3), clock, events)
    assert caplog.messages == lines


def test_what_gets_worse_is_said_at_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(LOGGER, clock=clock)
    outage.fail(logging.WARNING, "slow")
    outage.fail(logging.ERROR, "away")
    outage.fail(logging.WARNING, "slow")
    outage.fail(logging.ERROR, "away")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "slow"), ("ERROR", "away for_s=0 failures=2")
    ]  # fmt: skip


def test_what_fails_because_of_another_outage_says_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Until that one has ended; nor does its own first failure, which may come before the other is noticed."""
    database = Outage(LOGGER, clock=clock)
    sums = Outage(LOGGER, clock=clock, within=database)
    run(sums, clock, "F")
    run(database, clock, "F")
    run(sums, clock, "FFFE")
    run(database, clock, "E")
    run(sums, clock, "FE")
    assert [re.sub(" .*", "", line) for line in caplog.messages] == ["away", "back"]
    assert not sums.is_on
    run(sums, clock, "FFE")
    assert caplog.messages[2:] == ["away for_s=1 failures=2", "back lasted_s=2 failures=2"]
