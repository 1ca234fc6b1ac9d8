"""The doctor's verdict on the tasks of timers, the API's answers and certificates."""

import datetime as dt

import pytest

from maintenance.doctor.finding import Finding, Status
from maintenance.doctor.rules.api import Answer, api
from maintenance.doctor.rules.certificates import certificate, unverified
from maintenance.doctor.rules.timers import TIMERS, Timer, timer
from tollbook.store.task_runs import TASKS, TaskRun

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
NOW_S, HOUR, DAY = 1_800_000_000.0, 3600.0, 86_400.0
YES = Answer(status=200, seconds=0.01, ours=True)
NO_ANSWER = Answer(problem="did not answer within 3 s")
URL = "http://127.0.0.1:8080"


def ago(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(NOW_S - seconds, dt.UTC)


def ran(
    task: str, well_s: float | None, *, failing_s: float | None = None, calls_s: float = 0.0, folder: str | None = None
) -> Finding:
    run = TaskRun(
        task=task,
        begun_at=dt.datetime.fromtimestamp(NOW_S, dt.UTC),
        ended_at=ago(0),
        succeeded_at=ago(well_s),
        failing_since=ago(failing_s),
        exit_code=75 if failing_s else 0,
        seconds=1.0,
        runs=1,
        failures=0,
        items=0,
    )
    return timer(judged(task), run, NOW_S, calls_s, folder)


def never(task: str, calls_s: float, folder: str | None = None) -> Finding:
    return timer(judged(task), None, NOW_S, calls_s, folder)


def judged(task: str) -> Timer:
    return next(known for known in TIMERS if known.task == task)


CASES = [
    (ran("archive", 240.0), OK, "last ended well 4 min ago"),
    (ran("archive", HOUR), OK, "60 min ago"),
    (ran("archive", 2 * HOUR), WARN, "2 h ago"),
    (ran("archive", 27 * HOUR, failing_s=26 * HOUR), FAIL, "27 h ago; has failed for 26 h, last with 75"),
    (ran("archive", 240.0, failing_s=60.0), OK, "4 min ago; has failed for 60 s, last with 75"),
    (ran("prune", 25 * HOUR, failing_s=960.0), WARN, "25 h ago; has failed for 16 min, last with 75"),
    (ran("archive", None, failing_s=4 * HOUR, calls_s=4 * HOUR), WARN, "never ended well; has failed for 4 h"),
    (never("archive", 0.0), OK, "never ran yet"),
    (never("archive", 4 * HOUR), WARN, "never ran yet"),
    (never("prune", DAY), OK, "never ran yet"),
    (never("prune", 2 * DAY), WARN, "never ran yet"),
    (ran("prune", 6 * DAY), FAIL, "6 days ago"),
    (ran("compact", DAY), OK, "24 h ago"),
    (ran("compact", 2 * DAY), WARN, "2 days ago"),
    (ran("compact", 15 * DAY), FAIL, "15 days ago"),
    (never("recover", 9 * DAY), OK, "never ran, and TOLLBOOK_CDR_DIR names no folder"),
    (never("recover", 9 * DAY, "/cdr"), FAIL, "never ran yet"),
    (ran("recover", 4 * HOUR), WARN, "4 h ago"),
    (api(URL, 8080, YES, YES), OK, "http://127.0.0.1:8080 is ready"),
    (api(URL, 8080, Answer(problem="connection refused", refused=True), None), WARN, "nobody listens on http://127.0."),
    (api(URL, 8080, NO_ANSWER, None), FAIL, "/healthz: did not answer within 3 s"),
    (api(URL, 8080, Answer(status=404), None), FAIL, "answers with 404, and not as Tollbook does"),
    (api(URL, 8080, YES, Answer(status=503, ours=True, message="busy")), FAIL, "cannot serve: /readyz: 503, busy"),
    (api(URL, 8080, YES, NO_ANSWER), FAIL, "cannot serve: /readyz: did not answer"),
    (api(URL, 8080, YES, Answer(status=200, seconds=1.5, ours=True)), WARN, "took 1.5 s to say so"),
    (certificate("s3:443", NOW_S + 22 * DAY, NOW_S, "openssl"), OK, "ends on 2027-02-06, in 22 days"),
    (certificate("s3:443", NOW_S + 20 * DAY, NOW_S, "openssl"), WARN, "in 20 days"),
    (certificate("s3:443", NOW_S + 2 * DAY, NOW_S, "openssl"), FAIL, "in 2 days"),
    (certificate("s3:443", NOW_S - 2 * DAY, NOW_S, "openssl"), FAIL, "ended on 2027-01-13, 2 days ago"),
    (unverified("s3:443", "is refused: certificate has expired", "openssl"), FAIL, "certificate has expired"),
]


@pytest.mark.parametrize(("finding", "status", "text"), CASES)
def test_a_value_is_judged(finding: Finding, status: Status, text: str) -> None:
    """Each limit is where the rules say, and a finding that is not OK says what to do, with a command."""
    assert (finding.status, text in finding.found) == (status, True), finding
    assert bool(finding.remedy) == (status is not OK)
    assert bool(finding.commands) == (status is not OK)


def test_every_task_of_a_timer_is_recorded() -> None:
    """Under the name by which it is judged."""
    assert {known.task for known in TIMERS} <= set(TASKS)
