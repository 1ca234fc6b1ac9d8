"""What a worker tells the process that started it, once a second: what it has counted, and what is so.

It is part of the worker's sign of life, so it needs neither a port nor a file, and nobody waits for it.
"""

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from esl_listener.metrics import Metrics, State

REPORT_EVERY_S: Final = 1.0

# systemd's protocol leaves names that begin so to whoever agrees on them.
_NAME: Final = "X_TOLLBOOK_REPORT="
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's counters and state, its processor time since its start, and its resident memory."""

    metrics: Metrics
    state: State
    cpu_s: float
    resident_bytes: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Report).decode


def report(metrics: Metrics, state: State) -> str:
    """Return a sign of life with a report, for `tollbook.systemd.notify`."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    told = Report(metrics=metrics, state=state, cpu_s=time.process_time(), resident_bytes=pages * _PAGE_BYTES)
    return f"WATCHDOG=1\n{_NAME}{_encode(told).decode()}"


def read_report(message: str) -> Report | None:
    """Return the report in a message; None if there is none, or not the whole of it."""
    for line in message.splitlines():
        if line.startswith(_NAME):
            try:
                return _decode(line.removeprefix(_NAME))
            except msgspec.DecodeError:
                return None
    return None
