"""A file that a commit removes is found in whatever manifest it stands, also by many threads at once."""

import time
from typing import Any

import pytest
from pyiceberg.expressions import visitors

from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.config import Settings
from tollbook.store.database import Connection

ACCOUNTS = 8


@pytest.fixture
def interrupted_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another thread run whenever one is about to compare the bounds of a manifest."""
    visit = visitors.visit

    def visit_after_others(expression: Any, visitor: Any) -> Any:
        if isinstance(visitor, visitors._ManifestEvalVisitor):
            time.sleep(0.001)
        return visit(expression, visitor)

    monkeypatch.setattr(visitors, "visit", visit_after_others)


@pytest.mark.usefixtures("interrupted_threads")
def test_threads_that_interrupt_each_other_find_every_file(local_settings: Settings, database: Connection) -> None:
    """Each batch has a manifest of its own, of one account; all are looked through at once for the file to remove."""
    for number in range(ACCOUNTS):
        store(database, call("c", f"a{number}", START_MS + number))
        archive_now(local_settings)
    for number in reversed(range(ACCOUNTS)):  # the newest manifest is looked through first, and others after it
        store(database, call("c", f"a{number}", START_MS + number, billsec=number + 1))
        assert archive_now(local_settings).startswith("archived: 0 rows appended, 1 replaced")
    assert archived(local_settings) == stored(database)
