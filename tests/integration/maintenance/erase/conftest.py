"""Folders with the files of legs."""

from pathlib import Path

import pytest

from tollbook.config import Settings
from tollbook.spool_files import dead_letter_folder


@pytest.fixture
def cdr_settings(local_settings: Settings, tmp_path: Path) -> Settings:
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    return local_settings.model_copy(update={"cdr_dir": folder, "data_dir": tmp_path / "data"})


@pytest.fixture
def letters(cdr_settings: Settings) -> Path:
    folder = dead_letter_folder(cdr_settings.data_dir)
    folder.mkdir(parents=True)
    return folder
