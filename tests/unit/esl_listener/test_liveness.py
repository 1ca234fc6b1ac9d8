"""Signs of life wait for the writer: the newest of each process, none invented, none lost."""

import pytest

from esl_listener.liveness import Liveness
from tollbook.store.calls.switch_processes import SwitchProcess

T0 = 1_800_000_000_000_000


def seen_process(core: str = "core-1", seen_us: int = T0, address: str = "fs:8021") -> SwitchProcess:
    return SwitchProcess(core=core, address=address, switch="fs", seen_us=seen_us)


def note(liveness: Liveness, process: SwitchProcess) -> None:
    liveness.note(process.core, process.address, process.switch, process.seen_us)


def test_the_newest_sign_of_each_process_is_kept_once() -> None:
    liveness = Liveness()
    for process in (seen_process(), seen_process("core-2", T0 + 1, "other:8021"), seen_process(seen_us=T0 + 20)):
        note(liveness, process)
    assert sorted(liveness.take(), key=lambda process: process.core) == [
        seen_process(seen_us=T0 + 20),
        seen_process("core-2", T0 + 1, "other:8021"),
    ]
    assert liveness.take() == []


@pytest.mark.parametrize(
    ("core", "seen_us"), [("", T0), ("core-1", 0), ("core-1", -5), ("core-1", 10**18), ("core-1", 10**30)]
)
def test_what_names_no_process_or_has_no_clock_is_no_sign(core: str, seen_us: int) -> None:
    """A clock beyond all bounds would fail in PostgreSQL, and again at every retry."""
    liveness = Liveness()
    note(liveness, seen_process(core, seen_us))
    assert liveness.take() == []


def test_what_is_put_back_does_not_replace_what_came_meanwhile() -> None:
    liveness = Liveness()
    note(liveness, seen_process())
    note(liveness, seen_process("core-2", T0, "other:8021"))
    taken = liveness.take()
    note(liveness, seen_process(seen_us=T0 + 20))
    liveness.put_back(taken)
    assert sorted(liveness.take(), key=lambda process: process.core) == [
        seen_process(seen_us=T0 + 20),
        seen_process("core-2", T0, "other:8021"),
    ]


def test_sessions_unheard_are_summed_until_they_are_written() -> None:
    liveness = Liveness()
    liveness.note("a", "fs:8021", "fs", 10, unheard=2)
    liveness.note("a", "fs:8021", "fs", 20)
    taken = liveness.take()
    assert [(process.seen_us, process.unheard) for process in taken] == [(20, 2)]
    liveness.note("a", "fs:8021", "fs", 30, unheard=1)
    liveness.put_back(taken)
    assert [(process.seen_us, process.unheard) for process in liveness.take()] == [(30, 3)]
