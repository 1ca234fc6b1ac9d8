"""The listener's own `recover`: asked for often it runs once, and one that hangs is ended."""

import json
import subprocess
import sys
from pathlib import Path

from maintenance.recover.cdr_folder import open_folder
from tests.commands import environment

# In a process of its own, because gevent patches the standard library.
SCRIPT = """
from gevent import monkey
monkey.patch_all()
import json, sys
from pathlib import Path
import gevent
from esl_listener import gap_recovery
from esl_listener.metrics import Metrics
from tests.waiting import wait_until

gap_recovery.LIMIT_S, gap_recovery.SETTLE_S, gap_recovery.AT_MOST_EVERY_S = 2.0, 0.2, 0.1
metrics = Metrics()
recovery = gap_recovery.GapRecovery(Path(sys.argv[1]), metrics)
running = gevent.spawn(recovery.run)
for _ in range(5):
    recovery.ask()
    gevent.sleep(0.01)
wait_until(lambda: metrics.recoveries_failed, 60)
gevent.sleep(1.0)  # a second run would have begun: one after a failure begins 15 s later
print(json.dumps([metrics.recoveries, metrics.recoveries_failed]))
running.kill()
"""


def test_one_run_for_many_asks_and_its_end_when_it_hangs(database_url: str, tmp_path: Path) -> None:
    """Another `recover` holds the folder for ever: ours is ended after its limit, and counted as failed."""
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with open_folder(folder) as other:
        assert other.lock(0)
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, folder],
            env=environment(database_url=database_url, data_dir=str(tmp_path / "data")) | {"PYTHONPATH": "."},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [1, 1]
    assert "it took longer than 2 s" in done.stderr
