"""`make bench`: run all benchmarks, or those named; `make bench ARGS='memory calls=1000000'` changes an amount.

At the end stands the table of what was to be reached. When all ran, docs/performance.md gets it, too.
"""

import importlib
import inspect
import os
import sys
import time
import traceback

from benchmarks.figure import Figure
from benchmarks.table import Measured, summary, table, write

NAMES = (
    "events",
    "pace",
    "endtoend",
    "hostile",
    "workers",
    "memory",
    "rating",
    "archive",
    "archive_run",
    "archive_api",
    "compaction",
    "planning",
    "by_id",
    "guard",
    "prune",
    "recover",
    "rerate",
    "prices",
    "counting",
    "api",
    "stats",
    "engine",
    "sums",
    "dashboard",
    "upgrade",
    "sizing",
    "growth",
)
# Only when they are named: ten minutes for a plot, six for the dashboard, and what docs/sizing.md counts with (upgrade,
# sizing).
_ALONE = ("dashboard", "upgrade", "sizing", "growth")

# Of what a benchmark failed with: the first line of the trace says the rest.
_SHOWN = 200


def main(words: list[str]) -> None:
    """Run benchmarks, each with the amounts that follow its name, and print each figure as soon as it is there."""
    wanted: list[tuple[str, dict[str, int]]] = []
    for word in words or [name for name in NAMES if name not in _ALONE]:
        name, separator, value = word.partition("=")
        if not separator and name in NAMES:
            wanted.append((name, {}))
        elif separator and value.isdecimal() and wanted:
            wanted[-1][1][name] = int(value)
        else:
            sys.exit(f"{word!r} is none of {', '.join(NAMES)}, nor an amount such as calls=1000 after one of them")
    load = os.getloadavg()[0]
    runs = [_measure(name, amounts) for name, amounts in wanted]
    text = f"{table(runs)}\n\n{summary(runs, load)}"
    print(text)
    if not words:
        write(text)
    if any(run.failure for run in runs):
        sys.exit(1)


def _measure(name: str, amounts: dict[str, int]) -> Measured:
    """Run a benchmark; one that fails keeps its figures, and does not keep the others from theirs."""
    run = importlib.import_module(f"benchmarks.{name}").run
    known = inspect.signature(run).parameters
    if unknown := amounts.keys() - known.keys():
        sys.exit(f"{name} has no {', '.join(unknown)}: its amounts are {', '.join(known)}")
    print(f"{name}: " + ", ".join(f"{amount}={amounts.get(amount, known[amount].default):,}" for amount in known))
    figures, failure, begun = list[Figure](), "", time.monotonic()
    try:
        for figure in run(**amounts):
            print(f"  {figure}", flush=True)
            figures.append(figure)
    except Exception as error:  # noqa: BLE001 - whatever it is, the table names it
        traceback.print_exc()
        failure = " ".join(f"{type(error).__name__}: {error}".split())[:_SHOWN]
    return Measured(name=name, figures=figures, took_s=time.monotonic() - begun, failure=failure)


if __name__ == "__main__":
    main(sys.argv[1:])
