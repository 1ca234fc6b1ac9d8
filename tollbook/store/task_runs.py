"""`task_run`: the last run of each task that a timer starts, for metrics and `tollbook doctor`.

A process that ends before anybody asks it leaves here when it ran, for how long, and how it ended. Not in a file: the
tasks, the API and `tollbook doctor` may be on different machines, and PostgreSQL is what they share.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from tollbook.store.database import Connection, store_errors

#: The tasks that are recorded, and so the values of the metrics' label: those of conf/systemd, and `archive verify`.
TASKS: Final = ("archive", "compact", "prune", "recover", "verify")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRun:
    """The last run of a task. Exit code and seconds are those of the last run that ended; None: none has.

    `failing_since`: when the first of the last runs, all of which failed, ended; None when the last one succeeded.
    `runs`, `failures` and `items` count since the task first ran.
    """

    task: str
    begun_at: dt.datetime
    ended_at: dt.datetime | None
    succeeded_at: dt.datetime | None
    failing_since: dt.datetime | None
    exit_code: int | None
    seconds: float | None
    runs: int
    failures: int
    items: int


def begin(connection: Connection, task: str) -> None:
    """Note that a run of a task begins. Raises our errors."""
    with store_errors():
        connection.execute(
            "INSERT INTO task_run AS run (task, begun_at, runs) VALUES (%s, now(), 1)"
            " ON CONFLICT (task) DO UPDATE SET begun_at = now(), runs = run.runs + 1",
            (task,),
        )


def end(connection: Connection, task: str, *, exit_code: int, seconds: float, items: int) -> dt.datetime | None:
    """Note how a run ended. Returns since when runs had failed, if this is the first to succeed. Raises our errors."""
    with store_errors():
        row = connection.execute(
            """
            UPDATE task_run AS run SET
                ended_at = now(),
                exit_code = %(code)s,
                seconds = %(seconds)s,
                items = run.items + %(items)s,
                failures = run.failures + (%(code)s <> 0)::int,
                succeeded_at = CASE WHEN %(code)s = 0 THEN now() ELSE run.succeeded_at END,
                failing_since = CASE WHEN %(code)s <> 0 THEN coalesce(run.failing_since, now()) END
            FROM (SELECT failing_since FROM task_run WHERE task = %(task)s FOR UPDATE) AS before
            WHERE run.task = %(task)s
            RETURNING before.failing_since
            """,
            {"task": task, "code": exit_code, "seconds": seconds, "items": items},
        ).fetchone()
    return row[0] if row and not exit_code else None


def read_all(connection: Connection) -> list[TaskRun]:
    """Read the last run of each task, by name. Raises our errors."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(TaskRun))
            .execute(
                "SELECT task, begun_at, ended_at, succeeded_at, failing_since, exit_code, seconds, runs, failures,"
                " items FROM task_run ORDER BY task"
            )
            .fetchall()
        )
