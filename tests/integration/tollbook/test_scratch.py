"""Scratch folders: what a killed process left is removed, and nothing that somebody uses."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tollbook.scratch import scratch_folder

_RUNS = """
import tempfile, time
tempfile.tempdir = {tempdir!r}
from tollbook.scratch import scratch_folder
with scratch_folder("tollbook-test-") as folder:
    (folder / "data").mkdir()
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_removed_when_its_process_was_killed_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lock in it; a folder without one, or that a link leads to, is nobody's that we know."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    for folder in (tmp_path / "tollbook-test-mine", elsewhere):
        folder.mkdir()
    (elsewhere / "lock").touch()
    (tmp_path / "tollbook-test-link").symlink_to(elsewhere)
    script = _RUNS.format(tempdir=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        running = Path(other.stdout.readline().strip())
        with scratch_folder("tollbook-test-") as folder:
            assert folder.is_dir()
            assert running.is_dir()
        other.send_signal(signal.SIGKILL)
    assert running.is_dir()
    with scratch_folder("tollbook-test-"):
        assert not running.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "tollbook-test-link", "tollbook-test-mine"]
    assert (elsewhere / "lock").exists()
