"""Signs of life wait for the writer: the newest of each process, none invented, none lost."""

import itertools

import pytest

from esl_listener.liveness import Liveness, NewestEvent
from tollbook.model.event import SwitchEvent
from tollbook.store.calls.switch_processes import SwitchProcess

T0 = 1_800_000_000_000_000


def seen_process(
    core: str = "core-1", seen_us: int = T0, address: str = "fs:8021", *, sequence: int = 1, unheard: int = 0
) -> SwitchProcess:
    return SwitchProcess(core=core, address=address, switch="fs", sequence=sequence, seen_us=seen_us, unheard=unheard)


def test_the_newest_sign_of_each_process_is_kept_once() -> None:
    """One row a process, however many events were heard between two batches."""
    liveness = Liveness()
    for process in (seen_process(), seen_process("core-2", T0 + 1, "other:8021"), seen_process(seen_us=T0 + 20)):
        liveness.note(process)
    assert sorted(liveness.take(), key=lambda process: process.core) == [
        seen_process(seen_us=T0 + 20),
        seen_process("core-2", T0 + 1, "other:8021"),
    ]
    assert liveness.take() == []


def test_the_event_with_the_greatest_number_is_the_newest_whatever_the_clock_says() -> None:
    """In any order; a clock that once jumped an hour ahead must not move the end of every open call."""
    ahead = seen_process(seen_us=T0 + 3_600_000_000, sequence=7)
    newest = seen_process(seen_us=T0 + 5, sequence=9)
    for order in itertools.permutations((seen_process(sequence=3), ahead, newest)):
        liveness = Liveness()
        for process in order:
            liveness.note(process)
        assert liveness.take() == [newest]


@pytest.mark.parametrize(
    ("core", "seen_us", "sequence"),
    [
        ("", T0, 1),
        ("core-1", 0, 1),
        ("core-1", -5, 1),
        ("core-1", 10**18, 1),
        ("core-1", 10**30, 1),
        ("core-1", T0, -1),
        ("core-1", T0, 1 << 63),
    ],
)
def test_what_names_no_process_or_has_no_clock_is_no_sign(core: str, seen_us: int, sequence: int) -> None:
    """A number beyond all bounds would fail in PostgreSQL, and again at every retry."""
    liveness = Liveness()
    liveness.note(seen_process(core, seen_us, sequence=sequence))
    assert liveness.take() == []


def test_one_event_with_a_wrong_number_hides_no_other() -> None:
    """Nor does the greater number of a process that has ended hide the first events of the next one."""
    newest = NewestEvent()
    assert newest.take() is None
    heard = [SwitchEvent(core="a", sequence=number, at_us=T0 + number) for number in (3, 1 << 63, 9, 7)]
    for event in heard:
        newest.hear(event)
    assert newest.take() is heard[2]
    assert newest.take() is None
    for event in (heard[2], SwitchEvent(core="b", sequence=1, at_us=T0)):
        newest.hear(event)
    assert newest.take() == SwitchEvent(core="b", sequence=1, at_us=T0)


def test_what_is_put_back_does_not_replace_what_came_meanwhile() -> None:
    """A write that failed returns its signs; the newer ones stay."""
    liveness = Liveness()
    liveness.note(seen_process())
    liveness.note(seen_process("core-2", T0, "other:8021"))
    taken = liveness.take()
    liveness.note(seen_process(seen_us=T0 + 20))
    liveness.put_back(taken)
    assert sorted(liveness.take(), key=lambda process: process.core) == [
        seen_process(seen_us=T0 + 20),
        seen_process("core-2", T0, "other:8021"),
    ]


def test_sessions_unheard_are_summed_until_they_are_written() -> None:
    """Also over a write that failed."""
    liveness = Liveness()
    liveness.note(seen_process(seen_us=10, unheard=2))
    liveness.note(seen_process(seen_us=20))
    taken = liveness.take()
    assert [(process.seen_us, process.unheard) for process in taken] == [(20, 2)]
    liveness.note(seen_process(seen_us=30, unheard=1))
    liveness.put_back(taken)
    assert [(process.seen_us, process.unheard) for process in liveness.take()] == [(30, 3)]
