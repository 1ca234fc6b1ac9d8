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

# A group that has found nothing for so long is given up: the servers' own limits are shorter, and with the start of the
# command the whole takes less than five seconds when nothing answers.
SILENCE_S = 3.5
# A group that finds one thing after the other has so long: an archive on a slow object storage, a busy database.
GROUP_TIMEOUT_S = 10.0

_CREDENTIALS = re.compile(r"(?<=://)[^@/\s]*@")


@dataclass(frozen=True, kw_only=True)
class CheckGroup:
    """Checks that are made one after the other. `name` is reported when the group hangs or crashes.

    None among the findings is a sign of life, from which on the next finding is waited for.
    """

    name: str
    findings: Callable[[], Iterable[Finding | None]]


def attempt(check: str, make: Callable[[], Finding], remedy: str, *commands: str) -> Finding:
    """Make a check and return its finding; a check that raises has failed, with what to do."""
    try:
        return make()
    except TollbookError as error:
        return fail(check, str(error), remedy, *commands)
    except OSError as error:
        return fail(check, f"{error.strerror or error}: {error.filename}", remedy, *commands)
    except Exception as error:  # noqa: BLE001 - a check that crashes is a failure of this check alone
        return fail(check, _crash(error), "this is a fault of Tollbook's: report it with the version and this line")


def run_groups(
    groups: Sequence[CheckGroup], *, silence_s: float = SILENCE_S, timeout_s: float = GROUP_TIMEOUT_S
) -> tuple[list[Finding], bool]:
    """Run all groups at once; return their findings in the order of the groups, and whether some still hang.

    Those have a thread that may be waiting in a library which cannot be interrupted.
    """
    begun_s = time.monotonic()
    running = [_Running(group=group, found_s=begun_s) for group in groups]
    for run in running:
        threading.Thread(target=run.run, name=f"doctor {run.group.name}", daemon=True).start()
    findings: list[Finding] = []
    hangs = False
    for run in running:
        in_time = run.wait(silence_s, begun_s + timeout_s)
        findings.extend(tuple(run.findings))
        if not in_time:
            hangs = True
            findings.append(
                fail(
                    run.group.name,
                    f"no answer for {silence_s:g} s: the remaining checks were not made",
                    "find out what hangs (network, storage, a name that does not resolve), and run this again",
                )
            )
    return [escaped(finding) for finding in findings], hangs


@dataclass(kw_only=True)
class _Running:
    group: CheckGroup
    found_s: float
    findings: list[Finding] = field(default_factory=list[Finding])
    done: threading.Event = field(default_factory=threading.Event)

    def wait(self, silence_s: float, deadline_s: float) -> bool:
        """Wait for the end, as long as findings come; return whether it came."""
        while not self.done.is_set():
            left_s = min(self.found_s + silence_s, deadline_s) - time.monotonic()
            if left_s <= 0:
                return False
            self.done.wait(left_s)
        return True

    def run(self) -> None:
        try:
            for finding in self.group.findings():
                if finding is not None:
                    self.findings.append(finding)  # one by one: what was found before a hang is reported
                self.found_s = time.monotonic()
        except Exception as error:  # noqa: BLE001 - as in `attempt`
            self.findings.append(fail(self.group.name, _crash(error), "report it with the version and this line"))
        self.done.set()


def _crash(error: Exception) -> str:
    return f"the check crashed: {type(error).__name__}: {_CREDENTIALS.sub('***@', str(error))}"
