"""What tests of the index of call ids have in common."""

import pytest


@pytest.fixture(autouse=True)
def many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number of calls is so few that the index is not asked."""
    monkeypatch.setattr("tollbook.archive.by_id.FEW_CALLS", -1)
