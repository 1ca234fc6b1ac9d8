"""sd_notify on a real datagram socket, like systemd's."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tollbook.systemd import notify, watchdog_interval_s


@pytest.fixture(params=["in a folder", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens on, named in the environment as systemd does."""
    name = str(tmp_path / "notify") if request.param == "in a folder" else f"@tollbook-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listening


def test_each_state_is_one_datagram(systemd: socket.socket) -> None:
    for state in ("READY=1\nSTATUS=listening to 2 switches", "WATCHDOG=1", "STOPPING=1"):
        notify(state)
        assert systemd.recv(1000) == state.encode()


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "@tollbook-test-nobody", "vsock:2:1"])
def test_nobody_who_listens_is_no_error(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside systemd, or when its socket is gone, a service works as before."""
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_a_systemd_that_does_not_read_holds_nothing_up(systemd: socket.socket) -> None:
    """Once its queue is full, messages are dropped, and what was queued is still there."""
    queued = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
        sender.setblocking(False)
        while True:
            sender.sendto(b"WATCHDOG=1", systemd.getsockname())
            queued += 1
    notify("STOPPING=1")
    assert [systemd.recv(1000) for _ in range(queued)] == [b"WATCHDOG=1"] * queued
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(1000)


@pytest.mark.parametrize(("allowed_usec", "interval_s"), [("30000000", 15.0), ("500000", 0.25), (None, 5.0), ("", 5.0)])
def test_the_watchdog_is_fed_twice_in_its_time(
    allowed_usec: str | None, interval_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if allowed_usec is None:
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_USEC", allowed_usec)
    assert watchdog_interval_s() == interval_s
