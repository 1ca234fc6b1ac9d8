"""Settings from a file, and from the folder of an embedded PostgreSQL."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.commands import environment
from tollbook.config import Settings, load_settings
from tollbook.errors import SettingsError


def read(**settings: str) -> Settings:
    """Read the settings of an environment: `read(esl="…")` has TOLLBOOK_ESL."""
    with patch.dict(os.environ, environment(**settings), clear=True):
        return load_settings()


def test_wrong_settings_of_the_env_file_are_reported_too(tmp_path: Path) -> None:
    """A typo there would silently leave the default in place."""
    file = tmp_path / "tollbook.env"
    file.write_text("TOLLBOOK_RETENTION_DAYS=0\nTOLLBOOK_RETENTION_DAY=5\n")
    with pytest.raises(SettingsError) as caught:
        read(env_file=str(file), log_level="loud")
    for message in (
        "TOLLBOOK_RETENTION_DAYS: ",
        "TOLLBOOK_LOG_LEVEL: ",
        "TOLLBOOK_RETENTION_DAY is not a setting: did you mean TOLLBOOK_RETENTION_DAYS?",
    ):
        assert message in str(caught.value)


def test_without_a_database_the_message_says_what_to_set(tmp_path: Path) -> None:
    settings = read(data_dir=str(tmp_path))
    with pytest.raises(
        SettingsError, match=f"set TOLLBOOK_DATABASE_URL=.*no embedded PostgreSQL is running in {tmp_path}"
    ):
        settings.require_database_url()
    with pytest.raises(SettingsError, match="set TOLLBOOK_ESL=esl://"):
        settings.require_esl()
