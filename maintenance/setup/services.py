"""The units of systemd, where this machine has it and they are installed."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tollbook.errors import TollbookError
from tollbook.store import health
from tollbook.store.database import Connection

_BOOTED: Final = Path("/run/systemd/system")  # sd_booted(3)
_FOLDERS: Final = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
_TIMEOUT_S: Final = 60.0
# A switch sends its first sign of life at once, and the listener writes it within a second.
_HEARD_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.5


def units() -> list[str]:
    """Return the units to enable, where systemd runs and we may: the services and their timers; else none."""
    if os.geteuid() != 0 or not _BOOTED.is_dir():
        return []
    found = {path.name for folder in _FOLDERS for path in folder.glob("tollbook-*")}
    timers = {name for name in found if name.endswith(".timer")}
    services = {name for name in found if name.endswith(".service")}
    return sorted(timers | services.difference(started_by(sorted(timers))))


def started_by(names: Sequence[str]) -> list[str]:
    """Return the services that the timers among these units start."""
    return [name.removesuffix(".timer") + ".service" for name in names if name.endswith(".timer")]


def start(names: Sequence[str], *, anew: bool) -> None:
    """Enable units and start them; `anew`: also those that run, with the settings of now. Raises TollbookError."""
    for command in (("daemon-reload",), ("enable", *names), ("restart" if anew else "start", *names)):
        done = subprocess.run(  # noqa: S603 - names of files in systemd's folders, no shell
            ["systemctl", *command],  # noqa: S607 - systemd's, wherever the distribution has it
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            text = " ".join(done.stderr.split())
            raise TollbookError(
                f"`systemctl {' '.join(command)}` failed: {text}; `journalctl -u 'tollbook-*'` says why"
            )


def wait_until_heard(connection: Connection, addresses: Sequence[str]) -> None:
    """Wait until the listener has recorded a sign of life of each switch, or for some seconds."""
    deadline_s = time.monotonic() + _HEARD_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if all(health.last_seen_us(connection, address) is not None for address in addresses):
            return
        time.sleep(_POLL_S)
