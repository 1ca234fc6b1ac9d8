"""`kill -9` of the listener: calls that ended while it was down come from the switch's own CDR files."""

import random
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.acceptance.played import Calls, found
from tests.commands import Start
from tests.paths import CALLS
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

# Every recording whose legs all have a CDR file, as the switch writes them with log-b-leg.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())

CALLS_PER_S = 20.0
CALLS_A_KILL = 20
SEED = 20261123


@pytest.mark.parametrize("kills", [3, pytest.param(15, marks=pytest.mark.soak)])
def test_kills_and_the_same_rows(start: Start, database_url: str, tmp_path: Path, kills: int) -> None:
    """Killed at random points of a stream of calls and started again each time, it writes the same rows."""
    dice = random.Random(SEED)
    folder = tmp_path / "json_cdr"
    folder.mkdir()
    with SwitchThread(json_cdr_dir=folder, heartbeat_s=1.0) as switch:
        calls = Calls(switch, [load(CALLS / name) for name in NAMES])
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        playing: list[Future[int]] = []
        for _ in range(kills):
            playing.append(calls.play(CALLS_A_KILL, calls_per_s=CALLS_PER_S, speed=4.0))
            time.sleep(dice.uniform(0, 0.6))  # any moment will do: that is what is tested
            assert listener.stop(signal.SIGKILL) == -signal.SIGKILL
            listener = start("listen", esl=switch.url)
            listener.wait_for("listening")
        for part in playing:
            part.result(120)
        begun = set(calls.rows)
        ended = sum(1 for _ in folder.glob("*.json"))
        recover = start("recover", str(folder))
        assert recover.process.wait(120) == 0, recover.output
        assert f"recovered: {ended} files read" in recover.output
        assert listener.stop() == 0, listener.output
    assert len(begun) >= kills * CALLS_A_KILL
    assert found(database_url) == calls.rows
