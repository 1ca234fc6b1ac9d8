"""What a check finds, how bad that is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from tollbook.log import one_line, printable


class Status(IntEnum):
    """How bad a finding is; the number is the exit code that monitoring expects (Nagios)."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one check: one line, and, when it is not OK, what to do about it.

    `commands` are whole lines for a shell, in the order in which they help; those of Tollbook begin with `tollbook`.
    """

    check: str
    status: Status
    found: str
    remedy: str = ""
    commands: tuple[str, ...] = ()


def ok(check: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check=check, status=Status.OK, found=found)


def warn(check: str, found: str, remedy: str, *commands: str) -> Finding:
    """Return a finding that will become bad."""
    return Finding(check=check, status=Status.WARN, found=found, remedy=remedy, commands=commands)


def fail(check: str, found: str, remedy: str, *commands: str) -> Finding:
    """Return a finding that is bad now."""
    return Finding(check=check, status=Status.FAIL, found=found, remedy=remedy, commands=commands)


def worst(findings: Iterable[Finding]) -> Status:
    """Return the worst status of all; OK if there are none."""
    return max((finding.status for finding in findings), default=Status.OK)


def escaped(finding: Finding) -> Finding:
    """Return a finding whose texts are safe to print, whatever callers and servers put into them.

    Commands are not shortened: half of one would do something else.
    """
    return replace(
        finding,
        check=printable(finding.check),
        found=_printable_parts(finding.found),
        remedy=_printable_parts(finding.remedy),
        commands=tuple(map(one_line, finding.commands)),
    )


def _printable_parts(text: str) -> str:
    """Escape and shorten each part of a list on its own, so that a long part does not hide the next."""
    return "; ".join(printable(part) for part in text.split("; "))
