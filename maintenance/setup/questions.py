"""Asking: a sentence, a default, and a check of each answer at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from tollbook.errors import TollbookError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Asks on the terminal; `silent`: takes every default, as an unattended run does."""

    silent: bool

    def ask(
        self,
        sentence: str,
        prompt: str,
        check: Callable[[str], T],
        *,
        given: str | None = None,
        default: str = "",
        hidden: bool = False,
    ) -> T:
        """Return what `check` makes of the answer: of `given` if that is not None, else of what is typed.

        A wrong answer is asked for again, after the reason; where nobody can be asked, the reason is raised. What is
        hidden is not shown.
        """
        if given is not None or self.silent:
            return check(default if given is None else given)
        click.echo()
        click.echo(sentence)
        while True:
            answer: str = click.prompt(
                prompt, default=default, hide_input=hidden, show_default=bool(default) and not hidden
            )
            try:
                return check(answer if hidden else answer.strip())
            except TollbookError as error:
                click.echo(f"  {error}")

    def confirm(self, sentence: str, prompt: str, *, given: bool | None = None, default: bool) -> bool:
        """Return a yes or no."""
        if given is not None or self.silent:
            return default if given is None else given
        click.echo()
        click.echo(sentence)
        return click.confirm(prompt, default=default)
