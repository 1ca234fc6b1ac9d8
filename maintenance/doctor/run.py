"""Running the checks of `tollbook doctor`: groups of them in parallel, all within one time limit.

A group makes its checks one after the other and yields each finding at once. Each group has a thread, so that a check
that hangs delays no other group. The threads are daemons: one that hangs does not keep the command from ending.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from maintenance.doctor.finding import Finding, escaped, fail
from tollbook.errors import TollbookError

# The time for a group to connect, ask and read. A server that hangs is given up after it.
GROUP_TIMEOUT_S = 10.0

_CREDENTIALS = re.compile(r"(?<=://)[^@/\s]*@")


@dataclass(frozen=True, kw_only=True)
class CheckGroup:
    """Checks that are made one after the other. `name` is reported when the group hangs or crashes."""

    name: str
    findings: Callable[[], Iterable[Finding]]


def attempt(check: str, make: Callable[[], Finding], remedy: str) -> Finding:
    """Make a check and return its finding; a check that raises has failed, with `remedy` as what to do."""
    try:
        return make()
    except TollbookError as error:
        return fail(check, str(error), remedy)
    except OSError as error:
        return fail(check, f"{error.strerror or error}: {error.filename}", remedy)
    except Exception as error:  # noqa: BLE001 - a check that crashes is a failure of this check alone
        return fail(check, _crash(error), "this is a fault of Tollbook's: report it with the version and this line")


def run_groups(groups: Sequence[CheckGroup], *, timeout_s: float = GROUP_TIMEOUT_S) -> list[Finding]:
    """Run all groups at once and return their findings in the order of the groups, even if some hang or crash."""
    deadline = time.monotonic() + timeout_s
    running = [_Running(group=group) for group in groups]
    for run in running:
        threading.Thread(target=run.run, name=f"doctor {run.group.name}", daemon=True).start()
    findings: list[Finding] = []
    for run in running:
        in_time = run.done.wait(max(0.0, deadline - time.monotonic()))
        findings.extend(tuple(run.findings))
        if not in_time:
            findings.append(
                fail(
                    run.group.name,
                    f"no answer within {timeout_s:.0f} s: the remaining checks were not made",
                    "find out what hangs (network, storage, a name that does not resolve), and run this again",
                )
            )
    return [escaped(finding) for finding in findings]


@dataclass(kw_only=True)
class _Running:
    group: CheckGroup
    findings: list[Finding] = field(default_factory=list[Finding])
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            for finding in self.group.findings():
                self.findings.append(finding)  # one by one: what was found before a hang is reported
        except Exception as error:  # noqa: BLE001 - as in `attempt`
            self.findings.append(fail(self.group.name, _crash(error), "report it with the version and this line"))
        self.done.set()


def _crash(error: Exception) -> str:
    return f"the check crashed: {type(error).__name__}: {_CREDENTIALS.sub('***@', str(error))}"
