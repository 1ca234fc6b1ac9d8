"""Rate files for the command."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def deck(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Write a rate file and return its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "rates.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write
