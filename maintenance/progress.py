"""The progress of a long command: a bar on a terminal's standard error, and nothing anywhere else."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import rich.progress as bars
from rich.console import Console

# Called with how much is done and how much there is in all; the total may grow while the command runs.
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Show nothing."""
    del done, total


@contextmanager
def progress_bar(title: str, *, min_total: int = 1) -> Generator[Progress]:
    """Yield a function that shows the progress; the bar appears once the total is `min_total` or more."""
    console = Console(stderr=True)
    columns = (*bars.Progress.get_default_columns()[:-1], bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        task = display.add_task(title, visible=False)

        def show(done: int, total: int) -> None:
            display.update(task, completed=done, total=total, visible=total >= min_total)

        yield show


#: Shows the progress of one step, by its title.
Steps = Callable[[str], AbstractContextManager[Progress]]


@contextmanager
def no_steps(title: str) -> Generator[Progress]:
    """Show nothing."""
    del title
    yield no_progress
