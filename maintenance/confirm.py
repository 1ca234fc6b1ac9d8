"""Asking before something is erased."""

import sys

import click

from tollbook.errors import UsageError


def confirm(expected: str) -> None:
    """Let the name of what is erased be typed; raises UsageError for anything else, and where nobody can type."""
    if not sys.stdin.isatty():
        raise UsageError("nothing was erased: confirm with --yes, or on a terminal")
    if click.prompt(f"Type {expected} to erase it", default="", show_default=False) != expected:
        raise UsageError("nothing was erased")
