"""The verdicts on the tasks that timers start: when each one last ended well."""

import shlex
from typing import Final, NamedTuple

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age
from tollbook.store.task_runs import TaskRun
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR


class Timer(NamedTuple):
    """A task that a timer starts: its name, its command, and how long ago it may last have ended well."""

    task: str
    command: str
    warn_s: float
    fail_s: float


# A run that fails again and again is seen before it is late.
FAILING_WARN_S = 15.0 * 60
# As conf/prometheus/alerts.yml. Days late is a failure: what is archived and pruned too late fills PostgreSQL's disk.
TIMERS: Final = (
    Timer("archive", "tollbook archive run", 1.0 * SECONDS_PER_HOUR, 26.0 * SECONDS_PER_HOUR),
    Timer("compact", "tollbook archive compact --remove-orphans", 1.5 * SECONDS_PER_DAY, 14.0 * SECONDS_PER_DAY),
    Timer("prune", "tollbook prune", 1.5 * SECONDS_PER_DAY, 5.0 * SECONDS_PER_DAY),
    Timer("recover", "tollbook recover", 3.0 * SECONDS_PER_HOUR, 26.0 * SECONDS_PER_HOUR),
)


def timer_commands(task: str) -> tuple[str, str]:
    """Return the commands that turn a task's timer on, and that show what its last runs said."""
    return f"systemctl enable --now tollbook-{task}.timer", f"journalctl -u tollbook-{task} -n 50 --no-pager"


def recover_command(folder: str | None) -> str:
    """Return the command that reads a folder's CDR files; where no setting names one, the operator fills it in."""
    return f"tollbook recover {shlex.quote(folder or 'FOLDER')}"


def timer(judged: Timer, run: TaskRun | None, now_s: float, expected_s: float, folder: str | None) -> Finding:
    """Judge when a task last ended well; `run` None: it never ran.

    `expected_s`: for how long there have been calls, so that a new database misses nothing. `folder`: that of the CDR
    files; without one, only a recover that once ran is missed.
    """
    check = f"timer {judged.task}"
    recovers = judged.task == "recover"
    if recovers and run is None and folder is None:
        return ok(check, "never ran, and TOLLBOOK_CDR_DIR names no folder of CDR files")
    well_at = run.succeeded_at if run is not None else None
    well_s = expected_s if well_at is None else now_s - well_at.timestamp()
    if well_at is not None:
        found = f"last ended well {age(max(0.0, well_s))} ago"
    else:
        found = "never ended well" if run is not None else "never ran yet"
    failing_s = 0.0
    if run is not None and run.failing_since is not None:
        failing_s = now_s - run.failing_since.timestamp()
        found += f"; has failed for {age(max(0.0, failing_s))}, last with {run.exit_code}"
    if well_s <= judged.warn_s and failing_s <= FAILING_WARN_S:
        return ok(check, found)
    report = fail if well_s > judged.fail_s else warn
    return report(
        check,
        found,
        "run it by hand to see what prevents it; is its timer on?",
        recover_command(folder) if recovers else judged.command,
        *timer_commands(judged.task),
    )
