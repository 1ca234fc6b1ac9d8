"""A killed run of the tests leaves its databases in memory until the next run."""

import subprocess
import sys
from pathlib import Path

from tests import run_folder
from tests.paths import ROOT

RUN = """
import sys, time
from pathlib import Path
from tests import run_folder
folder = run_folder.make(Path(sys.argv[1]))
(folder / "postgresql").mkdir()
print(folder, flush=True)
time.sleep(600)
"""


def test_the_folder_of_a_killed_run_is_removed_and_that_of_a_living_one_kept(tmp_path: Path) -> None:
    """kill -9 runs no clean-up; the lock on the folder goes with the process."""
    runs: list[subprocess.Popen[str]] = []
    try:
        for _ in range(2):
            command = [sys.executable, "-c", RUN, str(tmp_path)]
            runs.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        living, dead = (Path(run.stdout.readline().strip()) for run in runs if run.stdout)
        runs[1].kill()
        runs[1].wait()
        assert (dead / "postgresql").is_dir()
        mine = run_folder.make(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([living, mine])
        assert (living / "postgresql").is_dir()
    finally:
        for run in runs:
            run.kill()
            run.communicate()
