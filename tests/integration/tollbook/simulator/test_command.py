"""The simulated switch as a separate process."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.esl_client import RawClient
from tests.paths import ROOT
from tollbook.simulator.recording import load_all

CALLS = ROOT / "tests" / "data" / "esl" / "calls"


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tollbook.simulator", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        listening = re.fullmatch(r"listening on (127\.0\.0\.1):(\d+)\n", process.stdout.readline())
        assert listening is not None
        yield process, (listening[1], int(listening[2]))
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_it_waits_plays_and_ends_on_sigterm():
    arguments = ("--password", "s3cret", "--play", "outbound_answered", "phone_302", "--speed", "0")
    expected = sum(len(recording.events) for recording in load_all(["outbound_answered", "phone_302"]))
    with running(*arguments, "--wait-for-subscriber") as (process, address):
        assert process.stdout is not None
        with RawClient(address) as client:
            client.login(b"s3cret").command(b"event json ALL")
            assert len(client.events(expected)) == expected
            assert process.stdout.readline() == f"played {expected} events\n"

            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def test_verbatim_once_from_a_folder_and_leave(tmp_path: Path):
    arguments = ("--recordings", str(CALLS), "--play", "standby", "--verbatim", "--speed", "0")
    with running(*arguments, "--wait-for-subscriber", "--exit-when-played") as (process, address):
        with RawClient(address) as client:
            client.login().command(b"event plain ALL")
            assert client.rest() == (CALLS / "standby" / "plain.esl").read_bytes()
        assert process.wait(10) == 0


def test_a_loop_at_a_rate_goes_on_until_sigint():
    with running("--play", "outbound_486_busy", "--rate", "200", "--speed", "0", "--loop") as (
        process,
        address,
    ):
        with RawClient(address) as client:
            client.login().command(b"event json CHANNEL_CREATE")
            assert len({event.get(b"Unique-ID") for event in client.events(200)}) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_an_unknown_recording_is_named():
    finished = subprocess.run(
        [sys.executable, "-m", "tollbook.simulator", "--play", "no_such"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert finished.returncode == 2
    assert "no_such" in finished.stderr
    assert "outbound_answered" in finished.stderr
