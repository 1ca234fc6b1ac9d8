"""`tollbook doctor`: findings, and the running of checks side by side, each with a limit on its time.

A group of checks gives its findings one by one. Groups run in threads of their own, so that one that waits holds up
no other, and the threads are daemons: one that hangs does not keep the command from ending.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from tollbook.errors import TollbookError
from tollbook.log import printable

# Within it a group connects, asks and reads. A server that hangs is given up by then.
GROUP_TIMEOUT_S = 10.0

_CREDENTIALS = re.compile(r"(?<=://)[^@/\s]*@")


class Status(IntEnum):
    """How bad it is; the number is the exit code that monitoring expects (Nagios)."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check found, in one line, and, when it is not OK, what to do about it."""

    check: str
    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Checks that are made one after the other; `name` stands for what a hanging one leaves unsaid."""

    name: str
    findings: Callable[[], Iterable[Finding]]


def ok(check: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding(check=check, status=Status.OK, found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Say what will become bad, and what to do."""
    return Finding(check=check, status=Status.WARN, found=found, remedy=remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Say what is bad, and what to do."""
    return Finding(check=check, status=Status.FAIL, found=found, remedy=remedy)


def worst(findings: Iterable[Finding]) -> Status:
    """Give the worst status of all."""
    return max((finding.status for finding in findings), default=Status.OK)


def attempt(check: str, look: Callable[[], Finding], remedy: str) -> Finding:
    """Make a check; one that raises has failed, with `remedy` as what to do about it."""
    try:
        return look()
    except TollbookError as error:
        return fail(check, str(error), remedy)
    except OSError as error:
        return fail(check, f"{error.strerror or error}: {error.filename}", remedy)
    except Exception as error:  # noqa: BLE001 - a check that crashes is a failure of this check alone
        return fail(check, _crash(error), "this is a fault of Tollbook's: report it with the version and this line")


def _crash(error: Exception) -> str:
    return f"the check crashed: {type(error).__name__}: {_CREDENTIALS.sub('***@', str(error))}"


@dataclass(kw_only=True)
class _Running:
    group: Group
    findings: list[Finding] = field(default_factory=list[Finding])
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            for finding in self.group.findings():
                self.findings.append(finding)  # one by one: what was found before a hang is told
        except Exception as error:  # noqa: BLE001 - as in `attempt`
            self.findings.append(fail(self.group.name, _crash(error), "report it with the version and this line"))
        self.done.set()


def examine(groups: Sequence[Group], *, timeout_s: float = GROUP_TIMEOUT_S) -> list[Finding]:
    """Run all groups at once and give their findings in the groups' order, whatever becomes of each."""
    deadline = time.monotonic() + timeout_s
    running = [_Running(group=group) for group in groups]
    for one in running:
        threading.Thread(target=one.run, name=f"doctor {one.group.name}", daemon=True).start()
    found: list[Finding] = []
    for one in running:
        in_time = one.done.wait(max(0.0, deadline - time.monotonic()))
        found.extend(tuple(one.findings))
        if not in_time:
            found.append(
                fail(
                    one.group.name,
                    f"no answer within {timeout_s:.0f} s: what was still to be looked at was not",
                    "find out what hangs (network, storage, a name that does not resolve), and run this again",
                )
            )
    return [plain(finding) for finding in found]


def plain(finding: Finding) -> Finding:
    """Escape what callers and servers may have put into the texts."""
    return Finding(
        check=printable(finding.check),
        status=finding.status,
        found=_line(finding.found),
        remedy=_line(finding.remedy),
    )


def _line(text: str) -> str:
    return "; ".join(printable(part) for part in text.split("; "))
