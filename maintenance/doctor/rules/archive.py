"""The verdicts on what is kept of calls for ever: the archive, the sums and the statements."""

from collections.abc import Sequence

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.amounts import age
from maintenance.doctor.rules.timers import timer_commands
from tollbook.model.unbilled import UnbilledCounts
from tollbook.store.health import COUNTED_ROWS
from tollbook.store.history import Restored
from tollbook.store.sums.sample import SumSample
from tollbook.store.sums.unbuilt import MANY_WAITING
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR, date_of

# Rows wait up to a day, so that files become larger; PostgreSQL keeps them for the whole retention.
OUTBOX_WARN_S = 26.0 * SECONDS_PER_HOUR
OUTBOX_FAIL_S = 3.0 * SECONDS_PER_DAY

# More files take longer to list, a thousand a request, than a check may take.
LISTED_FILES = 50_000

# Two days of each, one from the archive: seconds, however large it is.
SAMPLED_ACCOUNTS = 3


def history(found: Restored | None) -> Finding:
    """Judge whether the database is what it was when the archive was written from it."""
    if found is None:
        return ok("history", "the database is neither a copy nor restored from a backup")
    return fail(
        "history",
        found.how,
        "make the archive and the database fit together; docs/backup.md says what becomes of each call",
        "tollbook archive attach",
    )


def outbox(rows: int, oldest_s: float, *, abandoned: int) -> Finding:
    """Judge what waits for the archive by how long the oldest has, and the batches that no archiver works on."""
    least = " or more" if rows == COUNTED_ROWS else ""
    found = f"{rows}{least} rows wait, the oldest for {age(oldest_s)}" if rows else "nothing waits"
    if abandoned:
        found += f"; {abandoned} batches left by an archiver that did not finish"
    if not abandoned and oldest_s <= OUTBOX_WARN_S:
        return ok("outbox", found)
    judged = fail if oldest_s > OUTBOX_FAIL_S else warn
    remedy = "archive them now, or see what prevents it; is its timer on?"
    return judged("outbox", found, remedy, "tollbook archive run", *timer_commands("archive"))


def archive(snapshot_age_s: float | None, *, table: bool) -> Finding:
    """Report the age of the newest snapshot; no new calls, no new snapshot, so the outbox raises the alarm instead."""
    if not table:
        return ok("archive", "reachable; no table yet: the first `tollbook archive run` with rows makes it")
    if snapshot_age_s is None:
        return ok("archive", "reachable; the table is empty")
    return ok("archive", f"reachable; the newest snapshot is {age(max(0.0, snapshot_age_s))} old")


def archive_files(files: int, missing: Sequence[str] | None) -> Finding:
    """Judge the archive's data files by their names; `missing` None: there are too many to list, or none."""
    if missing is None:
        found = f"there are {files} files, too many to look for here" if files else "none yet"
        return ok("archive files", f"{found}; `tollbook archive verify` reads them all" if files else found)
    if missing:
        return fail(
            "archive files",
            f"{len(missing)} of {files} are missing, among them {missing[0].rpartition('/')[2]}",
            "read the archive: that says whose calls are affected and what brings them back; remove no other file",
            "tollbook archive verify",
        )
    return ok("archive files", f"all {files} are there; `tollbook archive verify` reads them")


def sums_unbuilt(days: int) -> Finding:
    """Report that sums are still to be built: what is asked of these days is answered from rows, or refused."""
    whose = f"{days} days" if days else "the calls from before the upgrade"
    return warn(
        "sums",
        f"the sums of {whose} are not built yet",
        "each `tollbook archive run` builds them for a minute; this builds them at once",
        "tollbook stats rebuild",
    )


def sums_waiting() -> Finding:
    """Report that what waits for the sums is not rolled up into them."""
    return warn(
        "sums",
        f"{MANY_WAITING} changes or more wait to be rolled up, and every question adds them",
        "does `tollbook listen` run? Its log says why it rolls up nothing; an archive run rolls up, too",
        "journalctl -u tollbook-listen -n 50 --no-pager",
        "tollbook archive run",
    )


def sums(sampled: int, differing: Sequence[SumSample]) -> Finding:
    """Judge some account-days of the sums by whether they agree with rows and archive."""
    if not differing:
        return ok("sums", f"{sampled} account-days, chosen at random, agree with rows and archive")
    first = differing[0]
    return fail(
        "sums",
        f"{len(differing)} of {sampled} account-days differ from rows and archive, such as {first.account_id} on"
        f" {date_of(first.day)}, where {first.summed} are summed",
        "run the doctor again, for a call that was corrected meanwhile differs once; then build all sums anew",
        "tollbook stats rebuild --all",
    )


def statements(lacking: int, account_id: str | None, month: str) -> Finding:
    """Judge how many accounts that have statements have none for a month, over for more than OVERDUE_DAYS."""
    if not lacking:
        return ok("statements", f"every account that has statements has one for {month}")
    return warn(
        "statements",
        f"{lacking} accounts have no statement for {month}, {account_id} for example",
        "issue them, months in their order",
        f"tollbook statement --all --month {month} --issue",
    )


def unbilled(counts: UnbilledCounts | None, month: str, command: str) -> Finding:
    """Judge how many calls of a month nobody is billed for; None: its sums are not built, of which `sums` warns."""
    if counts is None:
        return ok("unbilled calls", f"not counted in {month}, whose sums are not built")
    if not counts.calls:
        return ok("unbilled calls", f"none in {month}")
    return warn(
        "unbilled calls", f"{counts.calls} answered calls of {month}: {counts}", "they are on no statement", command
    )
