"""What a pruning did, and how it is printed."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """What was done, or, with `dry_run`, what would be.

    `days` of calls were dropped, with `calls` that the archive has and `moved` that stay, as late calls. Of the late
    calls, `late_deleted` were deleted and `late_requeued` sent to the archive again; `late_left` are left, `late_open`
    of them open. `events` were forgotten, and `undelivered` deliveries of them.
    """

    days: int = 0
    calls: int = 0
    moved: int = 0
    leg_days: int = 0
    late_deleted: int = 0
    late_requeued: int = 0
    late_left: int = 0
    late_open: int = 0
    dry_run: bool = False
    events: int = 0
    undelivered: int = 0

    def __str__(self) -> str:
        """Return it as one line."""
        dropped = (
            f"{'would prune' if self.dry_run else 'pruned'}: {self.days} days of calls ({self.calls} calls that the"
            f" archive holds), {self.leg_days} days of legs, {self.late_deleted} late calls"
        )
        if self.dry_run:
            return f"{dropped}; {self.moved} calls would move to the late ones"
        requeued = (
            f"; {self.late_requeued} late calls sent to the archive again, which holds them differently"
            if self.late_requeued
            else ""
        )
        left = f"{self.late_left} late calls are left, {self.late_open} of them open"
        events = f"; {self.events} events forgotten, {self.undelivered} undelivered" if self.events else ""
        return f"{dropped}; {self.moved} moved, {left}{requeued}{events}"
