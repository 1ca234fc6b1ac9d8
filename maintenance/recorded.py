"""Records when a task ran and how it ended, for metrics and `tollbook doctor` (`tollbook.store.task_runs`)."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import click

from tollbook.config import Settings
from tollbook.errors import TollbookError
from tollbook.log import log_line
from tollbook.store import task_runs
from tollbook.store.database import Connection, connect

_log = logging.getLogger("tollbook.task")

# What Python and a shell say of a process that CTRL-C ended.
_INTERRUPTED: Final = 130

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class Work:
    """What a run has done so far: rows, calls or files."""

    items: int = 0


@contextmanager
def recorded(settings: Settings, task: str, *, record: bool = True) -> Generator[Work]:
    """Record a run of a task; set `items` of what is yielded to what it did. `record` False: it is no whole run.

    A run goes on when it cannot be recorded, because PostgreSQL is away or lacks the table: that is the task's own
    error to report. The first run that succeeds after others failed says so in the log.
    """
    work, begun_s = Work(), time.monotonic()
    if not record:
        yield work
        return

    def end(exit_code: int) -> None:
        seconds = time.monotonic() - begun_s
        failing_since = _note(
            settings,
            lambda connection: task_runs.end(connection, task, exit_code=exit_code, seconds=seconds, items=work.items),
        )
        if failing_since is not None:
            failed_s = (dt.datetime.now(dt.UTC) - failing_since).total_seconds()
            log_line(_log, logging.WARNING, "works again after runs that failed", task=task, failing_s=round(failed_s))

    _note(settings, lambda connection: task_runs.begin(connection, task))
    try:
        yield work
    except BaseException as error:
        end(_exit_code(error))
        raise
    end(0)


def _note(settings: Settings, write: Callable[[Connection], T]) -> T | None:
    try:
        with connect(settings.require_database_url(), name="task", autocommit=True) as connection:
            return write(connection)
    except TollbookError:
        return None


def _exit_code(error: BaseException) -> int:
    """Return the code with which the command is about to end."""
    if isinstance(error, TollbookError | click.ClickException):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return _INTERRUPTED if isinstance(error, KeyboardInterrupt | click.Abort) else 1
