"""The verdicts of `tollbook doctor`: pure functions, each from a measured value to a finding."""

import re
from collections.abc import Sequence

from maintenance.doctor.finding import Finding, fail, ok, warn
from tollbook.store.database import STANDARD_LIMITS
from tollbook.store.days.partitions import DAYS_AHEAD
from tollbook.store.health import LockTable, OpenCalls, OutboxState, Pooler, Server, Unrated
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR

# Three clocks decide how calls are priced and how they are closed after a restart. NTP always keeps within 2 s.
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 30.0

# The oldest version that still gets fixes: the last release of 14 was in November 2026.
OLDEST_POSTGRESQL = 150_000

# Just after midnight one day fewer than DAYS_AHEAD is ready. With fewer than two, partitions run out over a weekend.
DAYS_WARN = DAYS_AHEAD - 1
DAYS_FAIL = 2

# FreeSWITCH sends a heartbeat every 20 s unless its switch.conf says otherwise; after three minutes of silence at the
# latest, the listener takes the connection for dead.
HEARTBEAT_WARN_S = 60.0
HEARTBEAT_FAIL_S = 180.0

# Rows wait up to a day, so that files become larger; PostgreSQL keeps them for the whole retention.
OUTBOX_WARN_S = 26.0 * SECONDS_PER_HOUR
OUTBOX_FAIL_S = 3.0 * SECONDS_PER_DAY

SPOOL_FAIL_SHARE = 0.8

# The API has eight connections for pages and sums; the listener, recover, rerate, and prune or the archiver have one
# more each that reads all days.
STATEMENTS_AT_ONCE = 12
_LOCKS_STEP = 64  # PostgreSQL's default, of which multiples are set

# As long as the connections that need no pooler give themselves.
_LIMITS_OF_ROLE = {
    "statement_timeout": f"{STANDARD_LIMITS.statement_s:.0f}s",
    "idle_in_transaction_session_timeout": f"{STANDARD_LIMITS.pause_s:.0f}s",
}


def age(seconds: float) -> str:
    """Return a duration in the largest unit that fits: `12 s`, `5 min`, `3 h`, `2 days`."""
    for unit, length, limit in (
        ("s", 1, 120),
        ("min", 60, 2 * SECONDS_PER_HOUR),
        ("h", SECONDS_PER_HOUR, 2 * SECONDS_PER_DAY),
    ):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / SECONDS_PER_DAY:.0f} days"


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that fits."""
    for unit, length in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"


def database(server: Server) -> Finding:
    """Judge the version of PostgreSQL."""
    if server.number < OLDEST_POSTGRESQL:
        return warn("database", f"PostgreSQL {server.version}", "this version gets no more fixes: upgrade PostgreSQL")
    return ok("database", f"PostgreSQL {server.version}")


def clock(check: str, ahead_s: float, give_or_take_s: float, whose: str, remedy: str) -> Finding:
    """Judge a clock by how far it is ahead of ours, give or take the time that asking took."""
    skew = max(0.0, abs(ahead_s) - give_or_take_s)
    # A difference within the time of asking may be none at all.
    way = "ahead of" if ahead_s > 0 else "behind"
    found = f"{whose} clock is {skew:.1f} s {way} this machine's" if skew >= 0.05 else f"{whose} clock agrees"
    if skew > SKEW_FAIL_S:
        return fail(check, found, remedy)
    return warn(check, found, remedy) if skew > SKEW_WARN_S else ok(check, found)


def pooler(state: Pooler) -> Finding:
    """Judge a pooler between us and PostgreSQL by the time limits that its sessions lack."""
    if not state.used:
        return ok("pooler", "none: we are connected to PostgreSQL itself")
    found = "there is one, such as PgBouncer, between us and PostgreSQL"
    if not state.unlimited:
        return ok("pooler", f"{found}; its sessions have time limits")
    limits = (f"ALTER ROLE {state.role} SET {name} = '{_LIMITS_OF_ROLE[name]}'" for name in state.unlimited)
    return warn(
        "pooler",
        f"{found}; its sessions lack {', '.join(state.unlimited)}",
        f"as this role or an administrator run {'; '.join(limits)}",
    )


def partitions(days_ahead: int) -> Finding:
    """Judge how many days after today have their partitions; -1: today has none."""
    remedy = "run `tollbook db upgrade`, which makes them, and have it run daily"
    if days_ahead < 0:
        return fail("partitions", "today has none", remedy)
    found = f"ready for {days_ahead} days ahead"
    if days_ahead < DAYS_FAIL:
        return fail("partitions", found, remedy)
    return warn("partitions", found, remedy) if days_ahead < DAYS_WARN else ok("partitions", found)


def locks(table: LockTable, retention_days: int) -> Finding:
    """Judge the room for locks by what the days of the retention need: without it, queries fail, and then batches."""
    # Legs stay two days longer than calls; today, the days made ahead and the late partition come on top.
    days = max(table.days, retention_days + 2 + 1 + DAYS_AHEAD + 1)
    one, room = days * table.per_day, table.per_transaction * table.transactions
    needed = one * STATEMENTS_AT_ONCE
    found = f"room for {room}; {days} days need up to {needed}, a statement {one}"
    if needed <= room:
        return ok("locks", found)
    least = -(-needed // table.transactions)
    setting = -(-least // _LOCKS_STEP) * _LOCKS_STEP
    remedy = (
        f"set max_locks_per_transaction = {setting} in postgresql.conf and restart PostgreSQL, or keep fewer days"
        " (TOLLBOOK_RETENTION_DAYS); otherwise queries may end with `out of shared memory`"
    )
    return fail("locks", found, remedy) if one > room else warn("locks", found, remedy)


def heartbeat(address: str, silent_s: float | None) -> Finding:
    """Judge the time since the listener last recorded a sign of life of a switch; None: never."""
    check = f"heartbeat {address}"
    remedy = "is `tollbook listen` running? Its log says why it does not hear the switch: calls are not being recorded"
    if silent_s is None:
        return fail(check, "never recorded by the listener", remedy)
    found = f"recorded {age(max(0.0, silent_s))} ago"
    if silent_s > HEARTBEAT_FAIL_S:
        return fail(check, found, remedy)
    return warn(check, found, remedy) if silent_s > HEARTBEAT_WARN_S else ok(check, found)


def sessions(address: str, unheard: int) -> Finding:
    """Judge how many sessions a switch has counted since it started, of which no event was heard."""
    check = f"sessions {address}"
    if not unheard:
        return ok(check, "all that the switch counted were heard")
    return warn(
        check,
        f"{unheard} were counted by the switch and not heard",
        "a hint only: `tollbook recover` reads mod_json_cdr's files, which have every call among them",
    )


def open_calls(calls: OpenCalls, now_ms: int) -> Finding:
    """Judge the calls that have been up for more than a day."""
    if not calls.count or calls.start_ts is None:
        return ok("open calls", "none is older than a day")
    return warn(
        "open calls",
        f"{calls.count} for more than a day, the oldest {calls.call_id} for {age((now_ms - calls.start_ts) / 1000)}",
        f"see `tollbook explain {calls.call_id}`; `uuid_exists` on the switch says whether it is up, and"
        " `tollbook recover` reads the ends that nobody heard",
    )


def unrated(count: int, reasons: Sequence[Unrated], days: int) -> Finding:
    """Judge the calls of the last days that have no price."""
    if not count:
        return ok("unrated calls", f"none in {days} days")
    counted = "; ".join(f"{reason.count} × {reason.reason}" for reason in reasons)
    return warn(
        "unrated calls",
        f"{count} in {days} days; {counted}",
        f"see `tollbook explain {reasons[0].call_id}`, and add the account, its plan or the rate",
    )


def without_account(count: int, answered: int, days: int) -> Finding:
    """Judge the calls without an account: the unanswered ones are usually scanners."""
    found = f"{count} in {days} days, {answered} of them answered"
    if not answered:
        return ok("calls without account", found)
    return warn(
        "calls without account",
        found,
        "nobody can be billed: set TOLLBOOK_ACCOUNT_VARIABLE on the channel, or give the number to an account with"
        " `tollbook account number add`",
    )


def outbox(state: OutboxState) -> Finding:
    """Judge what waits for the archive, and for how long; batches of an archiver that is running are no finding."""
    found = f"{state.rows} rows wait, the oldest for {age(state.oldest_s)}" if state.rows else "nothing waits"
    abandoned = state.batches and not state.archiver_runs
    if abandoned:
        found += f"; {state.batches} batches left by an archiver that did not finish"
    oldest_s = max(state.oldest_s, state.batches_oldest_s)
    remedy = "run `tollbook archive run`: it archives them, or says what prevents it; is its timer on?"
    if oldest_s > OUTBOX_FAIL_S:
        return fail("outbox", found, remedy)
    return warn("outbox", found, remedy) if abandoned or oldest_s > OUTBOX_WARN_S else ok("outbox", found)


def archive(snapshot_age_s: float | None, *, table: bool) -> Finding:
    """Report the age of the newest snapshot; no new calls, no new snapshot, so the outbox raises the alarm instead."""
    if not table:
        return ok("archive", "reachable; no table yet: the first `tollbook archive run` with rows makes it")
    if snapshot_age_s is None:
        return ok("archive", "reachable; the table is empty")
    return ok("archive", f"reachable; the newest snapshot is {age(max(0.0, snapshot_age_s))} old")


def spool(bytes_waiting: Sequence[int], max_bytes: int) -> Finding:
    """Judge what waits on disk for PostgreSQL, in each listener's spool: nothing, if all is well."""
    total = sum(bytes_waiting)
    if not total:
        return ok("spool", "nothing waits")
    found = (
        f"{size(total)} wait for PostgreSQL, the fullest spool is at {max(bytes_waiting) / max_bytes:.0%} of its limit"
    )
    if max(bytes_waiting) >= max_bytes * SPOOL_FAIL_SHARE:
        return fail("spool", found, "make PostgreSQL take writes now, or raise TOLLBOOK_SPOOL_MAX")
    return warn("spool", found, "is PostgreSQL up and writable, and `tollbook listen` running? It replays them itself")


def dead_letters(files: int) -> Finding:
    """Judge the dead letters: legs that were refused, and damaged stretches of the spool."""
    if not files:
        return ok("dead letters", "nothing")
    return warn("dead letters", f"{files} files", "see `tollbook spool list`, then `tollbook spool retry`")


def switch_status(check: str, version: str, status: str) -> Finding:
    """Judge what `version` and `status` print."""
    found = re.search(r"Version (\S+)", version)
    answer = f"FreeSWITCH {found[1]}, logged in" if found else "logged in; it does not say its version"
    if "is ready" not in status:
        return warn(check, f"{answer}; not ready", "see `fs_cli -x status`: it is starting, paused or shutting down")
    return ok(check, answer)


def json_cdr(check: str, answer: str) -> Finding:
    """Judge what `module_exists mod_json_cdr` prints."""
    if answer == "true":
        return ok(check, "mod_json_cdr is loaded")
    return warn(
        check,
        "mod_json_cdr is not loaded" if answer == "false" else f"module_exists says {answer}",
        "load it in modules.conf.xml with conf/freeswitch/json_cdr.conf.xml: without its files"
        " `tollbook recover` cannot add calls that the listener missed",
    )
