"""The listener stops for a minute while a switch goes on, and reaches FreeSWITCH's own bound of 100,000 events."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.played import CALLS, Calls, found, wrong_rows
from tests.commands import Start
from tests.waiting import wait_until
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

# With few legs and small CDR files, because there will be tens of thousands of them.
NAMES = ("answer_caller_hangs_up", "bridge_loopback", "fail_busy", "outbound_486_busy", "outbound_answered")
RECORDINGS = [load(CALLS / name) for name in NAMES]

STALL_S = 60.0
# 24 events of each round of these five are for us: 120,000, more than the queue takes and drops and the sockets hold.
COUNT = 25_000
BEFORE = 50
UP = 20


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the switch's mod_json_cdr writes some 300 MB, which pytest would keep for three sessions."""
    made = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.soak  # the short one is test_a_listener_that_stands_still, in test_connection.py
def test_a_minute_of_standing_still(start: Start, database_url: str, folder: Path) -> None:
    """The switch queues 100,000 events, drops 500, cuts. Calls that began unheard are found, the rest recovered."""
    recording = load(CALLS / "outbound_answered")
    end = next(index for index, event in enumerate(recording.events) if event.name == b"CHANNEL_HANGUP_COMPLETE")
    with SwitchThread(json_cdr_dir=folder) as switch:
        calls = Calls(switch, RECORDINGS)
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        calls.play_unpaced(BEFORE)
        stopped = time.monotonic()
        listener.process.send_signal(signal.SIGSTOP)
        try:
            template = CallTemplate(recording)
            up = [template.fresh(time.time_ns() // 1000, core_uuid=switch.core_uuid) for _ in range(UP)]
            for call in up:
                calls.note(call)
                switch.emit(call, range(end))
            playing = calls.start_playing_unpaced(COUNT)
            wait_until(lambda: switch.overflows == 1, timeout_s=180)
            playing.result(200)
            time.sleep(max(0.0, stopped + STALL_S - time.monotonic()))
        finally:
            listener.process.send_signal(signal.SIGCONT)
        switch.wait_for_subscriber(60)
        # The calls that are up were created in the silence: only reconciliation finds them.
        begun = {(row["call_id"], row["start_ts"]) for call in up for row in call.rows}
        wait_until(lambda: begun <= found(database_url).keys(), 60, every_s=0.1)
        for call in up:
            switch.emit(call, range(end, len(recording.events)))
        calls.play_unpaced(BEFORE)
        assert len(found(database_url)) < len(calls.rows) / 2, "little went unheard"
        recover = start("recover", str(folder))
        assert recover.process.wait(300) == 0, recover.output
        listener.end()
    assert "no heartbeat" not in listener.output
    assert list(wrong_rows(database_url, calls.rows))[:5] == []
