"""What `tollbook doctor` makes of a value: pure functions, each from what was measured to a finding."""

import re
from collections.abc import Sequence

from maintenance.doctor.run import Finding, fail, ok, warn
from tollbook.store.days.partitions import DAYS_AHEAD
from tollbook.store.health import OpenCalls, OutboxState, Server, Unrated

# Calls are priced, and closed after a restart, by times of three clocks. Two seconds are what NTP always keeps.
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 30.0

# The oldest that its makers still repair: the last release of 14 was in November 2026.
OLDEST_POSTGRESQL = 150_000

# One day short of what stands ready is midnight; fewer than two, and a weekend without maintenance is too long.
DAYS_WARN = DAYS_AHEAD - 1
DAYS_FAIL = 2

# FreeSWITCH's heart beats every 20 s unless its switch.conf says otherwise; the listener never waits longer than
# three minutes before it takes the connection for dead.
HEARTBEAT_WARN_S = 60.0
HEARTBEAT_FAIL_S = 180.0

# Archiving waits up to a day to write larger files, and the rows are in PostgreSQL for the retention.
OUTBOX_WARN_S = 26 * 3600.0
OUTBOX_FAIL_S = 3 * 86_400.0

SPOOL_FAIL_SHARE = 0.8


def age(seconds: float) -> str:
    """Say a time in its largest fitting unit: `12 s`, `5 min`, `3 h`, `2 days`."""
    for unit, length, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def size(count: int) -> str:
    """Say a number of bytes in its largest fitting unit."""
    for unit, length in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"


def database(server: Server) -> Finding:
    """Judge the version of PostgreSQL."""
    if server.number < OLDEST_POSTGRESQL:
        return warn("database", f"PostgreSQL {server.version}", "its makers no longer repair it: upgrade PostgreSQL")
    return ok("database", f"PostgreSQL {server.version}")


def clock(check: str, ahead_s: float, give_or_take_s: float, whose: str, remedy: str) -> Finding:
    """Judge a clock by how far it is ahead of ours, allowing for the time that asking took."""
    skew = max(0.0, abs(ahead_s) - give_or_take_s)
    # What is within the time of asking cannot be told from nothing.
    way = "ahead of" if ahead_s > 0 else "behind"
    found = f"{whose} clock is {skew:.1f} s {way} this machine's" if skew >= 0.05 else f"{whose} clock agrees"
    if skew > SKEW_FAIL_S:
        return fail(check, found, remedy)
    return warn(check, found, remedy) if skew > SKEW_WARN_S else ok(check, found)


def partitions(days_ahead: int) -> Finding:
    """Judge how many days after today have their partitions; -1: not even today."""
    remedy = "run `tollbook db upgrade`, which makes them, and have it run daily"
    if days_ahead < 0:
        return fail("partitions", "today has none", remedy)
    found = f"ready for {days_ahead} days ahead"
    if days_ahead < DAYS_FAIL:
        return fail("partitions", found, remedy)
    return warn("partitions", found, remedy) if days_ahead < DAYS_WARN else ok("partitions", found)


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
    """Judge how many sessions a switch counted and told nothing of, since it started."""
    check = f"sessions {address}"
    if not unheard:
        return ok(check, "all that the switch counted were heard")
    return warn(
        check,
        f"{unheard} were counted by the switch and not heard",
        "a hint, no verdict: `tollbook recover` reads mod_json_cdr's files, which tell of every call among them",
    )


def open_calls(calls: OpenCalls, now_ms: int) -> Finding:
    """Judge the calls that are up for more than a day."""
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
    told = "; ".join(f"{one.count} × {one.reason}" for one in reasons)
    return warn(
        "unrated calls",
        f"{count} in {days} days; {told}",
        f"see `tollbook explain {reasons[0].call_id}`, and add the account, its plan or the rate",
    )


def without_account(count: int, answered: int, days: int) -> Finding:
    """Judge the calls without an account: those that nobody answered are scanners, as a rule."""
    found = f"{count} in {days} days, {answered} of them answered"
    if not answered:
        return ok("calls without account", found)
    return warn(
        "calls without account",
        found,
        "nobody can be billed: set TOLLBOOK_ACCOUNT_VARIABLE on the channel, or give the number to an account with"
        " `tollbook account number add`",
    )


def outbox(waiting: OutboxState) -> Finding:
    """Judge what waits for the archive, and for how long; batches of an archiver that runs are its business."""
    found = f"{waiting.rows} rows wait, the oldest for {age(waiting.oldest_s)}" if waiting.rows else "nothing waits"
    left = waiting.batches and not waiting.archiver_runs
    if left:
        found += f"; {waiting.batches} batches left by an archiver that did not finish"
    oldest_s = max(waiting.oldest_s, waiting.batches_oldest_s)
    remedy = "run `tollbook archive run`: it takes them up, or says what prevents it; is its timer on?"
    if oldest_s > OUTBOX_FAIL_S:
        return fail("outbox", found, remedy)
    return warn("outbox", found, remedy) if left or oldest_s > OUTBOX_WARN_S else ok("outbox", found)


def archive(snapshot_age_s: float | None, *, table: bool) -> Finding:
    """Tell how old the archive's newest snapshot is; without new calls there is none, so the outbox is what alarms."""
    if not table:
        return ok("archive", "reachable; no table yet: the first `tollbook archive run` with rows makes it")
    if snapshot_age_s is None:
        return ok("archive", "reachable; the table is empty")
    return ok("archive", f"reachable; the newest snapshot is {age(max(0.0, snapshot_age_s))} old")


def spool(bytes_waiting: Sequence[int], max_bytes: int) -> Finding:
    """Judge what waits on disk for PostgreSQL, in each listener's spool: nothing, while it is well."""
    total = sum(bytes_waiting)
    if not total:
        return ok("spool", "nothing waits")
    found = (
        f"{size(total)} wait for PostgreSQL, the fullest spool holds {max(bytes_waiting) / max_bytes:.0%} of its most"
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
    told = f"FreeSWITCH {found[1]}, logged in" if found else "logged in; its version is not told"
    if "is ready" not in status:
        return warn(check, f"{told}; not ready", "see `fs_cli -x status`: it is starting, paused or shutting down")
    return ok(check, told)


def json_cdr(check: str, answer: str) -> Finding:
    """Judge what `module_exists mod_json_cdr` prints."""
    if answer == "true":
        return ok(check, "mod_json_cdr is loaded")
    return warn(
        check,
        "mod_json_cdr is not loaded" if answer == "false" else f"module_exists says {answer}",
        "load it in modules.conf.xml with conf/freeswitch/json_cdr.conf.xml: without its files"
        " `tollbook recover` has nothing to read for what nobody heard",
    )
