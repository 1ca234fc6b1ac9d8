"""The benchmarks run, on amounts far too small for their figures to mean anything."""

import importlib
import subprocess
import sys

import pytest

from tests.paths import ROOT

# Each takes seconds, most of them to start servers.
TINY: dict[str, dict[str, int]] = {
    "events": {"calls": 64, "stock_calls": 26, "rounds": 1},
    "memory": {"calls": 52, "up": 20},
    "rating": {"largest": 1_000, "count": 2_000},
    "archive": {
        "appended": 1_000, "month_rows": 20_000, "months": 3, "waiting": 20_000, "calls": 2_000, "accounts": 10,
        "every_min": 360, "rounds": 2,
    },
    "prune": {"calls": 2_000, "moved": 200, "report_s": 1},
    "api": {
        "calls": 5_000, "page_rows": 300, "depth": 5, "depth_rows": 20, "rounds": 2, "load_s": 1, "hanging": 5,
        "written": 20,
    },
    "stats": {"calls": 2_000, "rounds": 2},
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
        (["calls=1000"], "'calls=1000' is none of events, memory"),
        (["evens"], "'evens' is none of events, memory"),
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
