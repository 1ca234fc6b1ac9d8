"""Whose rows are archived when: accounts with enough rows, or with an old one."""

import datetime as dt

import pytest

from maintenance.archive.run import archive_calls
from tests.archiving import archived, stored
from tests.databases import store
from tests.factories import UP, call
from tollbook.config import Settings
from tollbook.store import outbox
from tollbook.store.database import Connection


@pytest.fixture
def settings(settings_on_both: Settings) -> Settings:
    """On S3 in `make test` too."""
    return settings_on_both


def test_an_account_is_flushed_when_its_oldest_row_has_waited_a_day(settings: Settings, database: Connection) -> None:
    """With it go accounts whose rows are nearly as old; open calls are never archived."""
    store(database, call("c1"), call("open", **UP), call("b1", "beta"), call("g1", "gamma"))
    database.execute("UPDATE archive_outbox SET since = since + interval '30 min' WHERE account_id = 'beta'")
    database.execute("UPDATE archive_outbox SET since = since + interval '2 h' WHERE account_id = 'gamma'")
    day = outbox.moment(database) + dt.timedelta(days=1)
    assert archive_calls(settings, at=day - dt.timedelta(seconds=5)).committed.appended == 0
    assert archive_calls(settings, at=day).committed.appended == 2
    assert [row[0] for row in archived(settings)] == ["c1", "b1"]


def test_an_account_is_flushed_when_enough_of_its_rows_wait(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintenance.archive.run.FLUSH_ROWS", 3)
    monkeypatch.setattr("maintenance.archive.due.FLUSH_ROWS", 3)
    store(database, call("n1", None), call("n2", None), call("n3", None), call("c1"), call("c2"))
    at = outbox.moment(database) + dt.timedelta(seconds=outbox.GRACE_S - 5)
    assert archive_calls(settings, at=at).committed.appended == 0, "rows rest for a minute first"
    assert archive_calls(settings, at=at + dt.timedelta(seconds=5)).committed.appended == 3
    assert archived(settings) == stored(database)[:3]


def test_an_estimated_end_waits_a_day_longer_unless_it_is_settled_before(
    settings: Settings, database: Connection
) -> None:
    store(database, call("estimated", estimated=True), call("settled", "beta", estimated=True))
    store(database, call("settled", "beta", estimated=False))
    day = outbox.moment(database) + dt.timedelta(days=1)
    assert archive_calls(settings, at=day).committed.appended == 1
    assert [row[0] for row in archived(settings)] == ["settled"]
    assert archive_calls(settings, at=day + dt.timedelta(hours=23)).committed.appended == 0
    assert archive_calls(settings, at=day + dt.timedelta(hours=24)).committed.appended == 1
    assert archived(settings) == stored(database)


def test_a_run_with_nothing_due_sends_no_request_to_the_storage(local_settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    (local_settings.data_dir / "archive").write_text("a file where the folder should be")
    assert archive_calls(local_settings).committed.appended == 0
