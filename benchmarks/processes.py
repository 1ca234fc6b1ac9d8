"""The installed command as a process, its memory and its processor time."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tollbook.config import Settings
from tollbook.store.database import Connection

_TOLLBOOK = Path(sys.executable).with_name("tollbook")
_STOP_S = 60.0
# This machine may have the settings of a Tollbook that is at work.
NO_FILE = {"TOLLBOOK_ENV_FILE": ""}
_EVERY_S = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
#: The unit in which the kernel counts processor time, in s.
TICK_S = 1 / _TICKS


@contextmanager
def running(command: str, **settings: str) -> Generator[subprocess.Popen[bytes]]:
    """Run `tollbook COMMAND` with these settings, named without TOLLBOOK_, and no others; end it with SIGTERM."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK_")}
    ours = {f"TOLLBOOK_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen([_TOLLBOOK, command], env={**kept, **NO_FILE, "TOLLBOOK_LOG_LEVEL": "error", **ours})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_STOP_S)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and not yet waited for."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mb(pid: int) -> float:
    """Return the resident set of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def highest_mb(pid: int) -> float:
    """Return the highest resident set that a process has had, in MB; 0 when it has ended.

    Not `ru_maxrss`, which counts the process that it was started from.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), 0.0)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, in s, without that of its children."""
    return sum(map(int, _stat(pid)[11:13])) / _TICKS


def server_cpu_s(connection: Connection) -> float:
    """Return the processor time of a connection's server on this machine, in s, also of processes that have ended.

    Without that of the process which serves the connection itself.
    """
    parent = int(_stat(connection.info.backend_pid)[1])
    total = sum(map(int, _stat(parent)[11:15])) / _TICKS  # its own, and that of the children that it has waited for
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(path.name) != connection.info.backend_pid and int(_stat(int(path.name))[1]) == parent:
                total += cpu_s(int(path.name))
    return total


def server_mb(connection: Connection) -> float:
    """Return the memory of a connection's server on this machine, in MB; what its processes share counts once."""
    parent = int(_stat(connection.info.backend_pid)[1])
    total = 0
    for pid in [parent, *children(parent)]:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / 1e6


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: the state is 0, the parent 1, utime 11."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that ended well: what it printed, its highest resident set in MB, its processor time and time in s."""

    output: str
    highest_mb: float
    cpu_s: float
    took_s: float


def run_to_end(*words: str, settings: Settings) -> Ended:
    """Run `tollbook WORDS` on a database and a folder; raises AssertionError unless it ends with 0."""
    ours = {"TOLLBOOK_DATABASE_URL": settings.require_database_url(), "TOLLBOOK_DATA_DIR": str(settings.data_dir)}
    begun, highest, used_s = time.monotonic(), 0.0, 0.0
    process = subprocess.Popen(
        [_TOLLBOOK, *words], env={**os.environ, **NO_FILE, **ours}, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None:
        with contextlib.suppress(OSError):
            highest, used_s = max(highest, highest_mb(process.pid)), cpu_s(process.pid)
        time.sleep(_EVERY_S)
    took_s = time.monotonic() - begun
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return Ended(output=output, highest_mb=highest, cpu_s=used_s, took_s=took_s)
