"""What a compaction did, and how it is printed."""

import datetime as dt
from dataclasses import dataclass, field

from maintenance.compaction.compact import Compacted
from maintenance.compaction.orphans import Orphans

_SHOWN_ORPHANS = 20


@dataclass(frozen=True, kw_only=True)
class CompactionReport:
    """What was done, or, with `dry_run`, what would be.

    `indexed`: calls whose ids were written to the index. `held`: the accounts under a hold, whose old months are kept.
    `snapshots` None: a batch is claimed, so none may expire.
    """

    dry_run: bool
    compacted: Compacted = field(default_factory=Compacted)
    indexed: int = 0
    dropped_before: dt.datetime | None = None
    dropped_rows: int = 0
    held: tuple[str, ...] = ()
    snapshots: int | None = 0
    orphans: Orphans | None = None
    orphans_removed: bool = False

    def __str__(self) -> str:
        """Return it as lines, one per step."""
        return "\n".join([self._compacted(), *self._indexed(), *self._dropped(), self._expired(), *self._orphans()])

    def _compacted(self) -> str:
        done = self.compacted
        if self.dry_run:
            return f"would compact: {done.files_before} files of closed months"
        return f"compacted: {done.files_before} files into {done.files_after}, {done.rows} rows"

    def _indexed(self) -> list[str]:
        return [f"indexed: the ids of {self.indexed} calls"] if self.indexed else []

    def _dropped(self) -> list[str]:
        if self.dropped_before is None:
            return []
        month = f"{self.dropped_before:%Y-%m}"
        kept = f"; kept, as they are held: those of {', '.join(self.held)}" if self.held else ""
        if self.dry_run:
            return [f"would drop: months before {month}{kept}"]
        return [f"dropped: {self.dropped_rows} rows of months before {month}{kept}"]

    def _expired(self) -> str:
        if self.snapshots is None:
            return "expired: nothing, a batch of `archive run` is under way"
        return f"{'would expire' if self.dry_run else 'expired'}: {self.snapshots} snapshots"

    def _orphans(self) -> list[str]:
        if self.orphans is None:
            return []
        files = self.orphans.files
        found = f"{len(files)} files, {self.orphans.bytes / 1e6:.1f} MB"
        if self.orphans_removed:
            return [f"orphans removed: {found}"]
        lines = [f"orphans found: {found}"]
        if files:
            lines += [f"  {self.orphans.storage.location(file.path)}" for file in files[:_SHOWN_ORPHANS]]
            lines.append("  delete them with --remove-orphans")
        return lines
