"""`make fuzz` itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

MINUTES = 2


@pytest.mark.soak
def test_two_minutes_of_hostile_bytes_find_nothing(tmp_path: Path) -> None:
    """Guided by what they reach in our code: only our errors, no row that is wrong, no memory that grows."""
    command = [sys.executable, "-m", "tests.fuzz", f"--minutes={MINUTES}", f"--folder={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES * 60 + 120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
    assert not [*tmp_path.glob("crash-*"), *tmp_path.glob("timeout-*"), *tmp_path.glob("oom-*")]
