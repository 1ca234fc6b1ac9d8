"""`make mutants`: break one rule at a time in a copy of the sources; the tests that guard it must fail.

With words as arguments, only the mutants whose file or claim contains one of them. `--part=2/3` tries the second of
three parts of all: of any three mutants in a row one.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.mutants import (
    agents,
    dashboard,
    details,
    events,
    export_app,
    installation,
    listener,
    maintenance,
    model,
    now,
    rating,
    statements,
    store,
)
from tests.mutants.mutant import Mutant
from tests.parts import Part
from tests.paths import ROOT

ALL = (
    *model.MUTANTS,
    *details.MUTANTS,
    *rating.MUTANTS,
    *export_app.MUTANTS,
    *store.MUTANTS,
    *maintenance.MUTANTS,
    *statements.MUTANTS,
    *events.MUTANTS,
    *listener.MUTANTS,
    *agents.MUTANTS,
    *dashboard.MUTANTS,
    *now.MUTANTS,
    *installation.MUTANTS,
)
COPIES = 2  # mutants tried at a time, each in its own copy
TIMEOUT_S = 180.0
UNCHANGED_TIMEOUT_S = 600.0  # of the tests of all mutants in one run
SHOWN_LINES = 30
WIDTH = 160  # columns, when the output is not a terminal
# `build` may hold a Debian, whose /dev/full has no end.
_LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "docs", "benchmarks", "build", "dist", "node_modules"
)
_TESTS_FAILED = 1  # pytest's exit code; 2 to 5 mean that no test could run


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a mutant: killed by a test, alive, or not tried at all, with the reason in `trouble`."""

    mutant: Mutant
    killed: bool
    trouble: str
    seconds: float

    @property
    def verdict(self) -> str:
        """The outcome in a word or two."""
        return "killed" if self.killed else "NOT TRIED" if self.trouble else "ALIVE"

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.verdict}, {self.seconds:.0f} s: {self.mutant.path}: {self.mutant.claim}"


def main(words: Sequence[str]) -> int:
    """Try the mutants, print a table of them, and return the exit code."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    mutants = list(chosen(words))
    if wrong := list(misfits(mutants)):
        console.print("\n".join(wrong), markup=False, highlight=False)
        return 2
    with tempfile.TemporaryDirectory(prefix="tollbook-mutants-") as folder, Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:  # fmt: skip
        copies = [shutil.copytree(ROOT, Path(folder) / str(number), ignore=_LEFT_OUT) for number in range(COPIES)]
        task = progress.add_task("the tests, unchanged", total=len(mutants))
        code, output = run_tests(
            copies[0], sorted({test for mutant in mutants for test in mutant.tests}), UNCHANGED_TIMEOUT_S
        )
        if code != 0:
            console.print(output, markup=False, highlight=False)
            console.print("These tests must pass before anything is broken.")
            return 2
        progress.update(task, description="mutants")
        outcomes: list[Outcome] = []
        for outcome in try_all(mutants, copies):
            outcomes.append(outcome)
            progress.advance(task)
            if not console.is_terminal:  # where the bar is not drawn
                console.print(f"{len(outcomes)} of {len(mutants)} {outcome}", highlight=False, markup=False)
    show(console, outcomes)
    return 0 if all(outcome.killed for outcome in outcomes) else 1


def chosen(words: Sequence[str]) -> Iterator[Mutant]:
    """Yield the mutants that the arguments name. Raises SystemExit for a part that is none."""
    parts = [word.removeprefix("--part=") for word in words if word.startswith("--part=")]
    words = [word for word in words if not word.startswith("--part=")]
    try:
        part = Part.parse(parts[-1] if parts else "1/1")
    except ValueError as error:
        sys.exit(str(error))
    for place, mutant in enumerate(ALL):
        if part.has(place) and (not words or any(word in f"{mutant.path} {mutant.claim}" for word in words)):
            yield mutant


def misfits(mutants: Iterable[Mutant]) -> Iterator[str]:
    """Yield a message for each row of the table that no longer fits the sources."""
    for mutant in mutants:
        path = ROOT / mutant.path
        found = path.read_text().count(mutant.text) if path.is_file() else 0
        if found != 1:
            yield f"{mutant.path}: {mutant.claim!r}: its text is there {found} times instead of once:\n{mutant.text}"
        elif mutant.path.endswith(".py"):
            compile(path.read_text().replace(mutant.text, mutant.replacement), mutant.path, "exec")


def try_all(mutants: Sequence[Mutant], copies: Sequence[Path]) -> Iterator[Outcome]:
    """Try mutants, one at a time in each copy; yield each outcome once it is known."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> Outcome:
        copy = free.get()
        try:
            return try_one(mutant, copy)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(max_workers=len(copies)) as pool:
        for future in as_completed([pool.submit(attempt, mutant) for mutant in mutants]):
            yield future.result()


def try_one(mutant: Mutant, copy: Path) -> Outcome:
    """Break a copy of the sources, run the tests, and repair it."""
    begun = time.monotonic()
    with broken(copy / mutant.path, mutant):
        code, output = run_tests(copy, mutant.tests)
    trouble = "" if code in (0, _TESTS_FAILED) else "\n".join(output.splitlines()[-SHOWN_LINES:])
    return Outcome(mutant=mutant, killed=code == _TESTS_FAILED, trouble=trouble, seconds=time.monotonic() - begun)


@contextmanager
def broken(path: Path, mutant: Mutant) -> Iterator[None]:
    """Put the mutant's replacement into a file, and the original back at the end."""
    whole = path.read_text()
    path.write_text(whole.replace(mutant.text, mutant.replacement))
    try:
        yield
    finally:
        path.write_text(whole)


def run_tests(copy: Path, tests: Sequence[str], timeout_s: float = TIMEOUT_S) -> tuple[int, str]:
    """Run tests in a copy, up to the first that fails; return pytest's exit code and what it printed."""
    # The seed: what random examples kill once, they kill each time.
    options = ["-n0", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),  # before the sources that the environment was installed from, also for commands
        "PYTHONDONTWRITEBYTECODE": "1",  # a cache tells sources apart by second and size, and would mix them up
    }
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return -1, f"{error}"
    return done.returncode, done.stdout


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a table of the outcomes, and how many are alive."""
    table = Table("file", "without the rule that", "fails", "", "s")
    for outcome in sorted(outcomes, key=lambda outcome: (outcome.killed, outcome.mutant.path)):
        tests = escape("\n".join(test.rpartition("::")[2] for test in outcome.mutant.tests))
        table.add_row(outcome.mutant.path, outcome.mutant.claim, tests, outcome.verdict, f"{outcome.seconds:.0f}")
    console.print(table)
    for outcome in outcomes:
        if outcome.trouble:
            console.print(f"{outcome}\n{outcome.trouble}", markup=False)
    left = [outcome for outcome in outcomes if not outcome.killed]
    console.print(f"{len(outcomes)} mutants, {len(left) or 'none'} alive")
    for outcome in left:  # again at the end, where a long output is looked at first
        console.print(f"{outcome}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
