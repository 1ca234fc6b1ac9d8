"""Folders of CDR files, and the settings to read them with."""

from pathlib import Path

import pytest

from tollbook.config import Settings


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(tmp_path / "data"))
    return Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "json_cdr"
    made.mkdir()
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    made = tmp_path / "elsewhere"
    made.mkdir()
    return made
