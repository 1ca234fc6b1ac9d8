"""The listener's memory: 10,000 calls up, and many more that come and go.

The resident set of `tollbook listen` is read from /proc while the calls are played; it must stay under 200 MB and must
not grow with the number of calls that are gone. TOLLBOOK_BENCH_CALLS sets how many (default 60,000; the figure in
docs/performance.md is for 1,000,000).
"""

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks.events import TOLLBOOK, Workload, feeder
from tollbook.embedded import embedded_postgres
from tollbook.store.schema import upgrade

UP = 10_000
CALLS = int(os.environ.pop("TOLLBOOK_BENCH_CALLS", "60000"))


def resident_mb(pid: int) -> float:
    """Return the resident set of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run() -> None:
    """Print the resident set as the calls go by."""
    rows = Workload.of(CALLS).rows
    print(f"memory: {UP} calls up, {CALLS} calls gone")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbook-"))
        url = stack.enter_context(embedded_postgres(Path(folder)))
        upgrade(url)
        (port,) = stack.enter_context(feeder(CALLS, "json", up=UP))
        environment = os.environ | {
            "TOLLBOOK_DATABASE_URL": url,
            "TOLLBOOK_ESL": f"esl://:ClueCon@127.0.0.1:{port}",
            "TOLLBOOK_DATA_DIR": folder,
            "TOLLBOOK_LOG_LEVEL": "error",
        }
        listener = subprocess.Popen([TOLLBOOK, "listen"], env=environment)
        stack.callback(listener.wait, 60)
        stack.callback(listener.terminate)
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        seen: list[float] = []
        complete, step, begun = 0, max(1, rows // 10), time.monotonic()
        while complete < rows:
            time.sleep(0.5)
            complete = (connection.execute("SELECT count(end_ts) FROM call_cdr").fetchone() or (0,))[0]
            seen.append(resident_mb(listener.pid))
            if complete >= step:
                print(f"  {complete:>9,} rows complete: {seen[-1]:.0f} MB")
                step += max(1, rows // 10)
            if listener.poll() is not None or time.monotonic() - begun > 3600:
                raise AssertionError(f"{complete} of {rows} rows")
        print(f"  highest {max(seen):.0f} MB (to stay under: 200 MB)")
