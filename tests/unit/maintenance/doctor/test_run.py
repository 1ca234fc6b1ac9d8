"""A check that crashes or hangs costs only itself."""

import threading
import time
from collections.abc import Iterator

from maintenance.doctor.finding import Finding, Status, fail, ok
from maintenance.doctor.run import CheckGroup, attempt, run_groups
from tollbook.errors import StoreUnavailable

OK, FAIL = Status.OK, Status.FAIL


def crash() -> Finding:
    raise ZeroDivisionError("at postgresql://me:secret@host/db")


def away() -> Finding:
    raise StoreUnavailable("PostgreSQL is not available")


def test_a_check_that_raises_fails_alone() -> None:
    """Our errors have the check's remedy; others are reported as a fault of ours, without credentials."""
    assert attempt("a", away, "start it") == fail("a", "PostgreSQL is not available", "start it")
    crashed = attempt("a", crash, "start it")
    assert crashed.status is FAIL
    assert crashed.found == "the check crashed: ZeroDivisionError: at postgresql://***@host/db"


def test_a_file_that_may_not_be_read_fails_its_check() -> None:
    def refused() -> Finding:
        raise PermissionError(13, "Permission denied", "/spool")

    assert attempt("spool", refused, "be its owner").found == "Permission denied: /spool"


def test_a_group_that_hangs_or_crashes_costs_no_other() -> None:
    """What a hanging group found before is reported; the limit is on all groups together; the order stays."""
    for_ever = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("first", "well")
        for_ever.wait(30)

    def crashes() -> Iterator[Finding]:
        yield ok("second", "well")
        yield crash()

    begun = time.monotonic()
    found, hangs = run_groups(
        [
            CheckGroup(name="hangs", findings=hangs),
            CheckGroup(name="hangs too", findings=hangs),
            CheckGroup(name="crashes", findings=crashes),
            CheckGroup(name="well", findings=lambda: [ok("third", "well")]),
        ],
        silence_s=0.2,
    )
    assert time.monotonic() - begun < 5
    for_ever.set()
    assert hangs
    assert [(finding.check, finding.status) for finding in found] == [
        ("first", OK), ("hangs", FAIL), ("first", OK), ("hangs too", FAIL), ("second", OK), ("crashes", FAIL),
        ("third", OK),
    ]  # fmt: skip


def test_a_group_that_finds_one_thing_after_the_other_has_more_time() -> None:
    """It is given up once it has been silent, or at the limit of all, whichever comes first."""
    for_ever = threading.Event()

    def slow(pauses: int) -> Iterator[Finding]:
        for number in range(pauses):
            for_ever.wait(0.3)
            yield ok(str(number), "well")

    groups = [CheckGroup(name="slow", findings=lambda: slow(5)), CheckGroup(name="endless", findings=lambda: slow(999))]
    found, hangs = run_groups(groups, silence_s=1.0, timeout_s=3.0)
    for_ever.set()
    assert hangs
    assert [finding.check for finding in found[:5]] == [str(number) for number in range(5)]
    assert (found[-1].check, found[-1].status) == ("endless", FAIL)


def test_a_sign_of_life_is_no_finding() -> None:
    """A group that has to load its library first is not taken for silent meanwhile."""

    def loads() -> Iterator[Finding | None]:
        for _ in range(4):
            time.sleep(0.4)  # what loading takes
            yield None
        yield ok("loaded", "well")

    assert run_groups([CheckGroup(name="loads", findings=loads)], silence_s=1.2) == ([ok("loaded", "well")], False)
