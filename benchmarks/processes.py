"""The installed command as a process, and its memory."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_TOLLBOOK = Path(sys.executable).with_name("tollbook")
_STOP_S = 60.0


@contextmanager
def running(command: str, **settings: str) -> Generator[subprocess.Popen[bytes]]:
    """Run `tollbook COMMAND` with these settings, named without TOLLBOOK_, and no others; end it with SIGTERM."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK_")}
    ours = {f"TOLLBOOK_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen([_TOLLBOOK, command], env={**kept, "TOLLBOOK_LOG_LEVEL": "error", **ours})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_STOP_S)


def resident_mb(pid: int) -> float:
    """Return the resident set of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
