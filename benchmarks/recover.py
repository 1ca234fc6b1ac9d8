"""`tollbook recover` of a folder with many CDR files: its highest memory, of some files and of five times as many.

The files are copies of all recordings, with fresh ids, of calls of the last hour.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from benchmarks.database import database
from benchmarks.figure import Figure, at_most
from benchmarks.processes import run_to_end
from tollbook.simulator.freshen import CallTemplate
from tollbook.simulator.recording import load_all, shipped_names

_SPREAD_US = 3600 * 1_000_000


def run(*, files: int = 10_000) -> Iterator[Figure]:
    """Yield the highest memory for a fifth of `files` and for all, and the processor time of a file."""
    templates = [CallTemplate(recording) for recording in load_all(shipped_names()) if recording.cdr_files]
    for count in (files // 5, files):
        with database() as settings, tempfile.TemporaryDirectory(prefix="tollbook-cdr-") as folder:
            _fill(Path(folder), templates, count)
            ended = run_to_end("recover", folder, settings=settings)
        assert f"recovered: {count} files read" in ended.output, ended.output
        of = f"recover of {count:,} files"
        yield Figure(what=f"{of}: highest", value=ended.highest_mb, unit="MB", bound=at_most(300))
    yield Figure(what=f"{of}: the command", value=ended.cpu_s / count * 1e3, unit="ms of CPU a file")


def _fill(folder: Path, templates: list[CallTemplate], files: int) -> None:
    begun_us = int(time.time() * 1e6) - 2 * _SPREAD_US
    written = 0
    for template in cycle(templates):
        copy = template.fresh(begun_us + _SPREAD_US * written // files)
        for _, name, text in template.cdr_files:
            if written == files:
                return
            (folder / name.fill(copy.values).decode()).write_bytes(text.fill(copy.values))
            written += 1
