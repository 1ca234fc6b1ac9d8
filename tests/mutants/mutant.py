"""A mutant: a rule of the sources, the change that breaks it, and the tests that must fail."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change to one file: `text`, which occurs there once, becomes `replacement`, and one of `tests` must fail.

    `claim` is the rule that holds without the change.
    """

    path: str
    claim: str
    text: str
    replacement: str
    tests: tuple[str, ...]
