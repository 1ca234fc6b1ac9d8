"""What the fork guard costs `archive run`, on files and on S3.

A run that archives `calls` calls of 10 accounts in one commit, and by itself all that the guard adds to it: read the
announcements and the head, announce, write the head, finish. Both in turn, in an archive that grows.
S3 is `rclone serve s3` on loopback, whose requests are much shorter than those over a network.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

from pyarrow.fs import S3FileSystem

from benchmarks.database import database, fill_calls, queue_calls
from benchmarks.figure import Figure, at_most
from maintenance.archive.guard import check_state
from maintenance.archive.head import Head, write_head
from maintenance.archive.metadata_files import number_of
from maintenance.archive.run import archive_calls
from tollbook.archive.catalog import load_archive, open_catalog
from tollbook.config import Settings
from tollbook.store.archive_commits import announce, finish
from tollbook.store.database import Connection, connect
from tollbook.times import MS_PER_DAY

_ACCOUNTS = 10
_FIRST_MS = 1_735_689_600_000  # 2025-01-01
_SPAN_MS = MS_PER_DAY // 4
_START_S = 20.0


@contextmanager
def _s3() -> Generator[dict[str, str]]:
    """Run an S3 server in memory, and yield pyiceberg's settings for a warehouse on it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    key, secret = "throwaway-key-id", "throwaway-secret"
    server = subprocess.Popen(
        [Path(sys.executable).with_name("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key",
         f"{key},{secret}", "--config", "/dev/null", ":memory:"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        files = S3FileSystem(
            endpoint_override=f"http://127.0.0.1:{port}", access_key=key, secret_key=secret, region="us-east-1",
            allow_bucket_creation=True,
        )  # fmt: skip
        files.create_dir("calls")
        prefix = "PYICEBERG_CATALOG__TOLLBOOK__"
        yield {
            f"{prefix}WAREHOUSE": "s3://calls/archive",
            f"{prefix}S3__ENDPOINT": f"http://127.0.0.1:{port}",
            f"{prefix}S3__ACCESS_KEY_ID": key,
            f"{prefix}S3__SECRET_ACCESS_KEY": secret,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.kill()
        server.wait(10)


def _cost(settings: Settings, where: str, calls: int, rounds: int) -> Figure:
    run_s, guard_s = list[float](), list[float]()
    with connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        fill_calls(connection, calls * (rounds + 1), accounts=_ACCOUNTS, since=_FIRST_MS, span=_SPAN_MS * (rounds + 1))
        for number in range(rounds + 1):
            queue_calls(connection, since=_FIRST_MS + number * _SPAN_MS, span=_SPAN_MS)
            done = archive_calls(settings, now=True)
            assert done.committed.appended == calls, done
            run_s.append(done.seconds)
            guard_s.append(_guard_s(settings, connection))
    warm_run_s, warm_guard_s = statistics.median(run_s[1:]), statistics.median(guard_s[1:])
    return Figure(
        what=f"the guard, of a run that archives {calls:,} calls {where}",
        value=100 * warm_guard_s / (warm_run_s - warm_guard_s),
        unit="%",
        bound=at_most(5),
    )


def _guard_s(settings: Settings, connection: Connection) -> float:
    """Time all that the guard does in a run with one commit."""
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        begun = time.perf_counter()
        known = check_state(connection, table)
        number = number_of(table.metadata_location)
        commit_id = announce(connection, "append", base=table.metadata_location, number=number)
        write_head(table.io, table.location(), Head(id=commit_id, number=number, time=0, owner=known.owner))
        # Finished, it would be a state of the archive, for which the next check would look.
        with connection.transaction(force_rollback=True):
            finish(connection, commit_id)
        return time.perf_counter() - begun


def run(*, calls: int = 10_000, rounds: int = 21) -> Iterator[Figure]:
    """Yield the share for local files and for S3."""
    with database() as settings:
        yield _cost(settings, "on files", calls, rounds)
    with _s3() as warehouse, patch.dict(os.environ, warehouse), database() as settings:
        yield _cost(settings, "on S3", calls, rounds)
