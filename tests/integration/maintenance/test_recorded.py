"""Each run of a task that a timer starts leaves when it ran and how it ended, whoever started it."""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from maintenance.recorded import recorded
from tests.commands import Tollbook
from tollbook.config import Settings
from tollbook.errors import ArchiveError, StoreUnavailable
from tollbook.store import task_runs
from tollbook.store.database import Connection
from tollbook.store.task_runs import TaskRun


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


def last(connection: Connection, task: str) -> TaskRun:
    connection.rollback()
    return next(run for run in task_runs.read_all(connection) if run.task == task)


def test_the_tasks_of_the_timers_are_recorded(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    """By their commands, also when they fail; a dry run is none, nor is the verification of a part."""
    (tmp_path / "cdr").mkdir()
    codes = {
        "archive": tollbook("archive", "run").returncode,
        "compact": tollbook("archive", "compact").returncode,
        "prune": tollbook("prune").returncode,
        "recover": tollbook("recover", str(tmp_path / "nowhere")).returncode,
        "verify": tollbook("archive", "verify").returncode,
    }
    assert codes["recover"] != 0
    assert tollbook("prune", "--dry-run").returncode == 0
    assert tollbook("archive", "compact", "--dry-run").returncode == 0
    tollbook("archive", "verify", "--month", "2026-09")
    found = task_runs.read_all(database)
    assert {run.task: run.exit_code for run in found} == codes
    assert set(codes) == set(task_runs.TASKS)
    assert [run.runs for run in found] == [1] * len(codes)


def test_what_failed_says_since_when_and_that_it_works_again(
    settings: Settings, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tollbook.task")
    for items in (3, 4):
        with recorded(settings, "archive") as work:
            work.items = items
    good = last(database, "archive")
    assert (good.exit_code, good.runs, good.failures, good.items) == (0, 2, 0, 7)
    assert good.failing_since is None
    assert caplog.messages == []
    for _ in range(2):
        with pytest.raises(ArchiveError), recorded(settings, "archive"):
            raise ArchiveError("the storage is away")
    bad = last(database, "archive")
    assert (bad.exit_code, bad.runs, bad.failures, bad.items) == (75, 4, 2, 7)
    assert bad.succeeded_at == good.succeeded_at
    assert bad.failing_since is not None
    assert bad.ended_at is not None
    assert bad.failing_since < bad.ended_at
    assert caplog.messages == []
    with recorded(settings, "archive"):
        pass
    (line,) = caplog.messages
    assert line.startswith("works again after runs that failed task=archive failing_s=")
    assert last(database, "archive").failing_since is None


def test_a_run_that_is_killed_begins_and_does_not_end(settings: Settings, database: Connection) -> None:
    with recorded(settings, "prune"):
        begun = last(database, "prune")
    assert (begun.runs, begun.ended_at, begun.exit_code) == (1, None, None)


def test_a_run_goes_on_where_it_cannot_be_recorded(tmp_path: Path) -> None:
    """Its own error is the one that is reported, and it ends well if it needs no database."""
    away = Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"), data_dir=tmp_path)
    with recorded(away, "archive") as work:
        work.items = 1
    with pytest.raises(StoreUnavailable, match="mine"), recorded(away, "archive"):
        raise StoreUnavailable("mine")
