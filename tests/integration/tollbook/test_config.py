"""Settings from a file, and from the folder of an embedded PostgreSQL."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from tests.commands import environment
from tollbook.config import EslAddress, Settings, load_settings
from tollbook.errors import SettingsError


def read(**settings: str) -> Settings:
    """Read the settings of an environment: `read(esl="…")` has TOLLBOOK_ESL."""
    with patch.dict(os.environ, environment(**settings), clear=True):
        return load_settings()


def test_the_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "tollbook.env"
    file.write_text(
        "# Tollbook\nTOLLBOOK_RETENTION_DAYS=7\nTOLLBOOK_ESL='esl://:p%23w@fs1'\nTOLLBOOK_ONNET=pbx\n"
        "PYICEBERG_CATALOG__TOLLBOOK__URI=x\nOTHER=1\n"
    )
    settings = read(env_file=str(file), onnet="other")
    assert settings.retention_days == 7
    assert settings.esl == (EslAddress(host="fs1", port=8021, password=SecretStr("p#w"), format="json"),)
    assert settings.onnet == {"other"}


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


def test_an_env_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    latin = tmp_path / "latin.env"
    latin.write_bytes(b"TOLLBOOK_ONNET=M\xfcller\n")
    for path in (tmp_path / "missing.env", tmp_path, latin):
        with pytest.raises(SettingsError, match=f"TOLLBOOK_ENV_FILE={path} cannot be read"):
            read(env_file=str(path))


def test_without_a_database_the_message_says_what_to_set(tmp_path: Path) -> None:
    settings = read(data_dir=str(tmp_path))
    with pytest.raises(
        SettingsError, match=f"set TOLLBOOK_DATABASE_URL=.*no embedded PostgreSQL is running in {tmp_path}"
    ):
        settings.require_database_url()
    with pytest.raises(SettingsError, match="set TOLLBOOK_ESL=esl://"):
        settings.require_esl()
