"""What restoring works on: an archive on local files is enough, because restoring only reads it."""

import pytest

from tollbook.config import Settings


@pytest.fixture
def settings(local_settings: Settings) -> Settings:
    """Settings of an archive on local files."""
    return local_settings
