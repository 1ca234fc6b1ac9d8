"""Settings of both tiers, as the commands of these tests have them; and a window in which the recordings are."""

import json
from pathlib import Path

import pytest

from tests.imported import NAMES
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY


@pytest.fixture
def settings(local_settings: Settings, tmp_path: Path) -> Settings:
    """Of the archive beside the command's own data."""
    return local_settings.model_copy(update={"data_dir": tmp_path / "data"})


@pytest.fixture
def young(database_url: str) -> None:
    """Let the days of the recordings have partitions, whatever the date: so they are in the window."""
    days = {
        row["start_ts"] // MS_PER_DAY for name in NAMES for row in json.loads((CALLS / name / "rows.json").read_text())
    }
    with connect(database_url, name="test") as connection:
        Partitions().ensure(connection, call_days=days, leg_days=days)
