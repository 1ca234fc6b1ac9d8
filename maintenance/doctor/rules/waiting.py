"""The verdicts on what lies in folders: the spool, dead letters, CDR files, and the backup's stamp."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age, size
from maintenance.doctor.rules.timers import timer_commands
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR

SPOOL_FAIL_SHARE = 0.8

# The timer reads them every ten minutes, and a run after an outage may take an hour.
CDR_WAIT_WARN_S = 2.0 * SECONDS_PER_HOUR
# What was read is needed again only after a restore, for the calls since the backup; and that is a week old at most.
DONE_DAYS = 30
BACKUP_WARN_DAYS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Files of a folder: how many, their bytes, the age of the oldest in seconds; `more`: there are more than these."""

    count: int = 0
    bytes: int = 0
    oldest_s: float = 0.0
    more: bool = False

    def __str__(self) -> str:
        """Return it for a finding."""
        if not self.count:
            return "none"
        least = " or more" if self.more else ""
        return f"{self.count}{least} files, {size(self.bytes)}{least}, the oldest {age(max(0.0, self.oldest_s))} old"


def spool(bytes_waiting: Sequence[int], max_bytes: int) -> Finding:
    """Judge what waits on disk for PostgreSQL, in each listener's spool: nothing, if all is well."""
    total = sum(bytes_waiting)
    if not total:
        return ok("spool", "nothing waits")
    found = (
        f"{size(total)} wait for PostgreSQL, the fullest spool is at {max(bytes_waiting) / max_bytes:.0%} of its limit"
    )
    commands = ("systemctl start tollbook-listen", "journalctl -u tollbook-listen -n 50 --no-pager")
    if max(bytes_waiting) >= max_bytes * SPOOL_FAIL_SHARE:
        return fail("spool", found, "make PostgreSQL take writes now, or raise TOLLBOOK_SPOOL_MAX", *commands)
    remedy = "is PostgreSQL up and writable, and `tollbook listen` running? It replays them itself"
    return warn("spool", found, remedy, *commands)


def dead_letters(files: int) -> Finding:
    """Judge the dead letters: legs that were refused, and damaged stretches of the spool."""
    if not files:
        return ok("dead letters", "nothing")
    remedy = "the list says why each was refused; when that is mended, write them again"
    return warn("dead letters", f"{files} files", remedy, "tollbook spool list", "tollbook spool retry")


def cdr_files(folder: Path, waiting: Files) -> Finding:
    """Judge the CDR files that nobody has read yet."""
    if waiting.oldest_s <= CDR_WAIT_WARN_S:
        return ok("CDR files", f"{waiting} to be read" if waiting.count else "none waits to be read")
    return warn(
        "CDR files",
        f"{waiting}, were not read yet",
        "run it by hand to see what prevents it; is its timer on, and does it name this folder?",
        f"tollbook recover {shlex.quote(str(folder))}",
        *timer_commands("recover"),
    )


def cdr_done(folder: Path, done: Files) -> Finding:
    """Judge the CDR files that were read, which nobody but the operator deletes."""
    if done.oldest_s <= DONE_DAYS * SECONDS_PER_DAY:
        return ok("CDR files done", str(done))
    return warn(
        "CDR files done",
        str(done),
        f"they grow for ever: delete what is older than your oldest backup, such as all that is {DONE_DAYS} days old",
        f"find {shlex.quote(str(folder / 'done'))} -maxdepth 1 -type f -mtime +{DONE_DAYS} -delete",
    )


def backup(stamp: Path, old_s: float | None) -> Finding:
    """Judge the age of the last backup; None: none was ever made."""
    remedy = "docs/backup.md has what to back up; let the job end with the command that dates it"
    command = f"touch {shlex.quote(str(stamp))}"
    if old_s is None:
        return fail("backup", f"none: {stamp} is missing", remedy, command)
    found = f"the last one was made {age(max(0.0, old_s))} ago"
    return warn("backup", found, remedy, command) if old_s > BACKUP_WARN_DAYS * SECONDS_PER_DAY else ok("backup", found)
