"""The benchmarks run, on amounts far too small for their figures to mean anything."""

import importlib
import subprocess
import sys

import pytest

from benchmarks.figure import TIMES, Figure, at_least, at_most
from benchmarks.table import Measured, summary, table
from tests.paths import ROOT

# Each takes seconds, most of them to start servers.
TINY: dict[str, dict[str, int]] = {
    "events": {"calls": 64, "stock_calls": 26, "rounds": 1},
    "pace": {"seconds": 2},
    "endtoend": {"rate": 10, "seconds": 4},
    "hostile": {"legs": 200, "large_legs": 100, "innocent": 2},
    "workers": {"calls": 2_000, "rounds": 1},
    "memory": {"calls": 52, "up": 20},
    "rating": {"largest": 1_000, "count": 2_000},
    "archive": {
        "appended": 1_000, "month_rows": 20_000, "months": 3, "waiting": 20_000, "calls": 2_000, "accounts": 10,
        "every_min": 360, "rounds": 2,
    },
    "archive_api": {"calls": 3_000, "accounts": 4, "each": 20, "rounds": 1},
    "archive_run": {"calls": 2_000, "accounts": 2, "most": 3_000},
    "compaction": {"files": 3, "calls": 500},
    "planning": {"files": 600, "rounds": 1},
    "by_id": {"accounts": 3, "months": 2, "calls": 500, "rounds": 2},
    "guard": {"calls": 1_000, "rounds": 2},
    "prune": {"calls": 2_000, "moved": 200, "report_s": 1},
    "recover": {"files": 50},
    "rerate": {"calls": 2_000},
    "prices": {"rounds": 2},
    "counting": {"calls": 200, "rounds": 2},
    "api": {
        "calls": 5_000, "page_rows": 300, "depth": 5, "depth_rows": 20, "rounds": 2, "load_s": 1, "hanging": 5,
        "written": 20,
    },
    "stats": {"calls": 2_000, "rounds": 2},
    "engine": {"calls": 1_200},
    "sums": {"calls": 1_000, "accounts": 2, "rounds": 1},
    "dashboard": {"calls": 9_000, "accounts": 2, "rounds": 1},
    "upgrade": {"calls": 1_000},
    "growth": {"minutes": 1, "sizes": 1},
    "sizing": {"calls": 52, "switches": 4, "rate": 50, "paced": 26},
}  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_yields_its_figures(name: str) -> None:
    """Each finds, by its own comparison, that the rows it measured are right, and yields figures that are not empty."""
    figures = list(importlib.import_module(f"benchmarks.{name}").run(**TINY[name]))
    assert figures
    assert [str(figure) for figure in figures if not figure.value > 0] == []


def test_every_benchmark_is_tried() -> None:
    """By the test above, which `make soak` runs."""
    from benchmarks.__main__ import NAMES

    assert sorted(TINY) == sorted(NAMES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["calls=1000"], "'calls=1000' is none of events, pace, endtoend"),
        (["evens"], "'evens' is none of events, pace, endtoend"),
        (["stats", "calls=many"], "'calls=many' is none of"),
        (["stats", "rows=1"], "stats has no rows: its amounts are calls, rounds"),
    ],
)
def test_a_wrong_word_is_refused(words: list[str], message: str) -> None:
    """Before anything is measured, with what can be written."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_the_table_names_every_bound_and_what_missed_it() -> None:
    """Figures without a bound are left out, one at its limit has reached it, and a benchmark that failed is named."""
    figures = [
        Figure(what="rows", value=2.0, unit=TIMES, bound=at_least(2)),
        Figure(what="time", value=2.01, unit="s", bound=at_most(2)),
        Figure(what="size", value=7.0, unit="MB"),
    ]
    runs = [
        Measured(name="one", figures=figures, took_s=30.0),
        Measured(name="two", figures=[], took_s=30.0, failure="AssertionError: wrong rows"),
    ]
    assert table(runs).splitlines()[2:] == [
        "| one | rows | 2.00 × | to reach: 2 | yes |",
        "| one | time | 2.01 s | to stay under: 2 | **no** |",
        "| two | **failed**: AssertionError: wrong rows | | | **no** |",
    ]
    assert summary(runs, 0.0).startswith("1 of 2 reached, 1 benchmarks failed. Measured on ")
