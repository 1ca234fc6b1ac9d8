"""The doctor's verdict on each measured value, its exit code, and its texts."""

import pytest

from maintenance.doctor.finding import Finding, Status, escaped, fail, ok, warn, worst
from maintenance.doctor.rules import amounts, calls, switch
from maintenance.doctor.rules import database as rules
from tollbook.store.health import LockTable, OpenCalls, Pooler, Server, Unrated
from tollbook.times import MS_PER_DAY

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
NOW_MS = 1_800_000_000_000
RECOVER = "tollbook recover /cdr"


def administer(statement: str) -> str:
    return f"psql --command='{statement}'"


def server(number: int) -> Server:
    return Server(version="18.0", number=number, ahead_s=0.0, give_or_take_s=0.0)


def clock(ahead_s: float, give_or_take_s: float = 0.0) -> Finding:
    return rules.clock("clock", ahead_s, give_or_take_s, "its")


def locks(days: int = 0, keep: int = 30) -> Finding:
    table = LockTable(per_transaction=64, transactions=100, per_day=10, days=days)
    return rules.locks(table, keep, administer)


UNRATED = [Unrated(reason="no such account", count=5, call_id="c1"), Unrated(reason="other", count=2, call_id="c2")]
READY = "UP 0 years\nFreeSWITCH (Version 1.11.3-dev  64bit) is ready\n"
VERSION = "FreeSWITCH Version 1.10.12-release+git~2024 (-release 64bit)"

CASES = [
    (rules.database(server(180_000)), OK, "PostgreSQL 18.0"),
    (rules.database(server(140_020)), WARN, "PostgreSQL 18.0"),
    (clock(0.02), OK, "its clock agrees"),
    (clock(1.9), OK, "its clock is 1.9 s ahead of this machine's"),
    (clock(-2.5), WARN, "its clock is 2.5 s behind this machine's"),
    (clock(2.5, 0.6), OK, "1.9 s ahead"),
    (clock(31.0), FAIL, "31.0 s ahead"),
    (rules.pooler(Pooler(used=False), administer), OK, "none"),
    (rules.pooler(Pooler(used=True), administer), OK, "its sessions have time limits"),
    (
        rules.pooler(Pooler(used=True, unlimited=("statement_timeout",)), administer),
        WARN,
        "its sessions lack statement_timeout",
    ),
    (locks(days=39), OK, "room for 6400; 41 days need up to 4920, one query 410"),
    (locks(days=60), WARN, "60 days need up to 7200"),
    (locks(keep=366), WARN, "377 days need up to 45240"),
    (locks(days=700), FAIL, "one query 7000"),
    (rules.partitions(7), OK, "ready for 7 days ahead"),
    (rules.partitions(6), OK, "6 days"),
    (rules.partitions(5), WARN, "5 days"),
    (rules.partitions(2), WARN, "2 days"),
    (rules.partitions(1), FAIL, "1 days"),
    (rules.partitions(-1), FAIL, "today has none"),
    (switch.sessions("fs:8021", 0, RECOVER), OK, "every session that the switch counted while we were"),
    (switch.sessions("fs:8021", 3, RECOVER), WARN, "3 sessions that the switch counted were not heard"),
    (switch.heartbeat("fs:8021", None), FAIL, "never recorded"),
    (switch.heartbeat("fs:8021", 60.0), OK, "recorded 60 s ago"),
    (switch.heartbeat("fs:8021", -3.0), OK, "recorded 0 s ago"),
    (switch.heartbeat("fs:8021", 61.0), WARN, "recorded 61 s ago"),
    (switch.heartbeat("fs:8021", 180.0), WARN, "recorded 3 min ago"),
    (switch.heartbeat("fs:8021", 181.0), FAIL, "recorded 3 min ago"),
    (calls.open_calls(OpenCalls(count=0, call_id=None, start_ts=None), NOW_MS, RECOVER), OK, "none is older"),
    (
        calls.open_calls(OpenCalls(count=3, call_id="abc", start_ts=NOW_MS - 3 * MS_PER_DAY), NOW_MS, RECOVER),
        WARN,
        "3 for more than a day, the oldest abc for 3 days",
    ),
    (calls.unrated(0, [], 3), OK, "none in 3 days"),
    (calls.unrated(7, UNRATED, 3), WARN, "7 in 3 days; 5 × no such account; 2 × other"),
    (calls.without_account(9, 0, 3), OK, "9 in 3 days, 0 of them answered"),
    (calls.without_account(9, 1, 3), WARN, "9 in 3 days, 1 of them answered"),
    (switch.switch_status("switch", VERSION, READY), OK, "FreeSWITCH 1.10.12-release+git~2024, logged in"),
    (switch.switch_status("switch", "", READY), OK, "does not say its version"),
    (switch.switch_status("switch", VERSION, "FreeSWITCH is shutting down"), WARN, "not ready"),
    (switch.json_cdr("modules", "true"), OK, "mod_json_cdr is loaded"),
    (switch.json_cdr("modules", "false"), WARN, "mod_json_cdr is not loaded"),
    (switch.json_cdr("modules", "-ERR no"), WARN, "module_exists says -ERR no"),
]


@pytest.mark.parametrize(("finding", "status", "text"), CASES)
def test_a_value_is_judged(finding: Finding, status: Status, text: str) -> None:
    """Each limit is where the rules say, and a finding that is not OK says what to do."""
    assert (finding.status, text in finding.found) == (status, True), finding
    assert bool(finding.remedy) == (status is not OK)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 days")]
)
def test_an_age_is_printed_in_its_largest_unit(seconds: float, text: str) -> None:
    assert amounts.age(seconds) == text


def test_the_worst_decides() -> None:
    """The exit code is Nagios's: 0 all well, 1 a warning, 2 a failure."""
    assert worst([]) == 0
    assert worst([ok("a", "")]) == 0
    assert worst([ok("a", ""), warn("b", "", "x")]) == 1
    assert worst([fail("c", "", "x"), warn("b", "", "x")]) == 2


def test_texts_of_callers_are_escaped_and_bounded() -> None:
    """A caller's text moves no cursor, breaks no line, and hides nothing behind a thousand characters."""
    shown = escaped(warn("c\x1b[2J", "a\nb; " + "x" * 999, "see \x1b]0;", f"tollbook explain '\x1b{'y' * 300}'"))
    assert (shown.check, shown.remedy) == ("c\\x1b[2J", "see \\x1b]0;")
    assert shown.commands == (f"tollbook explain '\\x1b{'y' * 300}'",)
    assert shown.found.startswith("a\\x0ab; xxx")
    assert len(shown.found) < 250


@pytest.mark.parametrize(("keep", "setting"), [(60, 128), (366, 512)])
def test_the_remedy_for_locks_makes_room_for_them(keep: int, setting: int) -> None:
    """With the setting that it names, the same days are no finding any more."""
    assert locks(keep=keep).commands[0] == administer(f"ALTER SYSTEM SET max_locks_per_transaction = {setting}")
    table = LockTable(per_transaction=setting, transactions=100, per_day=10, days=0)
    assert rules.locks(table, keep, administer).status is OK
