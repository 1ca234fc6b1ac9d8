"""systemd's notification protocol, sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names."""

import os
import socket
from contextlib import suppress

# systemd reads at once. Should its queue be full, we do not wait for it for longer than this.
_TIMEOUT_S = 1.0

# How often to send WATCHDOG=1 where nothing asks for it.
_UNASKED_S = 5.0


def notify(state: str) -> None:
    """Send systemd a state, as `READY=1`, `STOPPING=1`, `WATCHDOG=1`, or several on lines of their own.

    Do nothing where no systemd listens. A message that cannot be sent is dropped: the service works without it, and
    systemd restarts a service whose messages it misses.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket: the kernel's name for it begins with NUL
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_TIMEOUT_S)
        sender.sendto(state.encode(), address)


def watchdog_interval_s() -> float:
    """Return how often to send WATCHDOG=1: half of what WatchdogSec allows, every 5 s without one."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2_000_000 if usec.isdigit() else _UNASKED_S
