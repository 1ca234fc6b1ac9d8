"""A progress bar on a terminal's stderr."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(doing: str, *, from_total: int) -> Generator[Callable[[int, int], None]]:
    """Give a function to tell what is done and the total; a bar shows once there is so much to do."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=total >= from_total)

        yield show
