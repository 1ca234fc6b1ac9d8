"""The verdicts on PostgreSQL itself: version, clock, pooler, partitions, locks."""

from collections.abc import Callable

from maintenance.doctor.finding import Finding, fail, ok, warn
from maintenance.doctor.rules.timers import timer_commands
from tollbook.store.database import STANDARD_LIMITS
from tollbook.store.days.partitions import DAYS_AHEAD
from tollbook.store.health import LockTable, Pooler, Server

# Three clocks decide how calls are priced and how they are closed after a restart. NTP always keeps within 2 s.
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 30.0

# The oldest version that still gets fixes: the last release of 14 was in November 2026.
OLDEST_POSTGRESQL = 150_000

# Just after midnight one day fewer than DAYS_AHEAD is ready. With fewer than two, partitions run out over a weekend.
DAYS_WARN = DAYS_AHEAD - 1
DAYS_FAIL = 2

# The API has eight connections for pages and sums; the listener, recover, rerate, and prune or the archiver have one
# more each that reads all days.
STATEMENTS_AT_ONCE = 12
_LOCKS_STEP = 64  # PostgreSQL's default, of which multiples are set

# As long as the connections that need no pooler give themselves.
_LIMITS_OF_ROLE = {
    "statement_timeout": f"{STANDARD_LIMITS.statement_s:.0f}s",
    "idle_in_transaction_session_timeout": f"{STANDARD_LIMITS.pause_s:.0f}s",
}


def database(server: Server) -> Finding:
    """Judge the version of PostgreSQL."""
    if server.number < OLDEST_POSTGRESQL:
        return warn(
            "database",
            f"PostgreSQL {server.version}",
            "this version gets no more fixes: upgrade PostgreSQL; see docs/backup.md",
        )
    return ok("database", f"PostgreSQL {server.version}")


def clock(check: str, ahead_s: float, give_or_take_s: float, whose: str, *commands: str) -> Finding:
    """Judge a clock by how far it is ahead of ours, give or take the time that asking took."""
    skew = max(0.0, abs(ahead_s) - give_or_take_s)
    # A difference within the time of asking may be none at all.
    way = "ahead of" if ahead_s > 0 else "behind"
    found = f"{whose} clock is {skew:.1f} s {way} this machine's" if skew >= 0.05 else f"{whose} clock agrees"
    if skew <= SKEW_WARN_S:
        return ok(check, found)
    judged = fail if skew > SKEW_FAIL_S else warn
    return judged(check, found, "set up NTP on both machines", "timedatectl set-ntp true", *commands)


def pooler(state: Pooler, administer: Callable[[str], str]) -> Finding:
    """Judge a pooler between us and PostgreSQL by the time limits that its sessions lack."""
    if not state.used:
        return ok("pooler", "none: we are connected to PostgreSQL directly")
    found = "we are connected to PostgreSQL through one, such as PgBouncer"
    if not state.unlimited:
        return ok("pooler", f"{found}; its sessions have time limits")
    return warn(
        "pooler",
        f"{found}; its sessions lack {', '.join(state.unlimited)}",
        "set them for the role, as an administrator of PostgreSQL itself, not through the pooler",
        *(administer(f"ALTER ROLE {state.role} SET {name} = '{_LIMITS_OF_ROLE[name]}'") for name in state.unlimited),
    )


def partitions(days_ahead: int) -> Finding:
    """Judge how many days after today have their partitions; -1: today has none."""
    commands = ("tollbook db upgrade", *timer_commands("prune"))
    remedy = "make them now, and see why the nightly prune, which makes them, does not"
    if days_ahead < 0:
        return fail("partitions", "today has none", remedy, *commands)
    found = f"ready for {days_ahead} days ahead"
    if days_ahead < DAYS_FAIL:
        return fail("partitions", found, remedy, *commands)
    return warn("partitions", found, remedy, *commands) if days_ahead < DAYS_WARN else ok("partitions", found)


def locks(table: LockTable, leg_days: int, administer: Callable[[str], str]) -> Finding:
    """Judge the room for locks by what the days of legs need: without it, queries fail, and then batches."""
    # Legs stay two days longer than that; today, the days made ahead and the late partition come on top.
    days = max(table.days, leg_days + 2 + 1 + DAYS_AHEAD + 1)
    one, room = days * table.per_day, table.per_transaction * table.transactions
    needed = one * STATEMENTS_AT_ONCE
    found = f"room for {room}; {days} days need up to {needed}, one query {one}"
    if needed <= room:
        return ok("locks", found)
    least = -(-needed // table.transactions)
    setting = -(-least // _LOCKS_STEP) * _LOCKS_STEP
    judged = fail if one > room else warn
    return judged(
        "locks",
        found,
        "otherwise queries may end with `out of shared memory`; calls wait in the spool while PostgreSQL restarts; or"
        " keep fewer days (TOLLBOOK_RETENTION_DAYS, TOLLBOOK_LEG_DAYS)",
        administer(f"ALTER SYSTEM SET max_locks_per_transaction = {setting}"),
        "systemctl restart postgresql",
    )
