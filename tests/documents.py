"""The commands that a document shows, for tests that run them as written."""

import re
from pathlib import Path

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def section(document: Path, heading: str) -> str:
    """Return what stands below a heading of the second level, up to the next one."""
    parts = document.read_text().split(f"\n## {heading}\n")
    assert len(parts) == 2, heading
    return parts[1].partition("\n## ")[0]


def shell_blocks(text: str) -> list[str]:
    """Return the blocks that are marked as `sh`: those that a reader runs."""
    return _BLOCK.findall(text)
