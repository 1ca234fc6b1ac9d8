"""What a check finds, how bad that is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from tollbook.log import printable


class Status(IntEnum):
    """How bad a finding is; the number is the exit code that monitoring expects (Nagios)."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one check: one line, and, when it is not OK, what to do about it."""

    check: str
    status: Status
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check=check, status=Status.OK, found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Return a finding that will become bad."""
    return Finding(check=check, status=Status.WARN, found=found, remedy=remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Return a finding that is bad now."""
    return Finding(check=check, status=Status.FAIL, found=found, remedy=remedy)


def worst(findings: Iterable[Finding]) -> Status:
    """Return the worst status of all; OK if there are none."""
    return max((finding.status for finding in findings), default=Status.OK)


def escaped(finding: Finding) -> Finding:
    """Return a finding whose texts are safe to print, whatever callers and servers put into them."""
    return Finding(
        check=printable(finding.check),
        status=finding.status,
        found=_printable_parts(finding.found),
        remedy=_printable_parts(finding.remedy),
    )


def _printable_parts(text: str) -> str:
    """Escape and shorten each part of a list on its own, so that a long part does not hide the next."""
    return "; ".join(printable(part) for part in text.split("; "))
