"""`tollbook archive run`: from the outbox into the archive, batch by batch.

Claim, commit, acknowledge. A kill between any two of them is repaired by the next run: a batch that was claimed is
looked for in the archive, and acknowledged when it is there, written when it is not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from maintenance.commit import Committed, commit, ensure_table, holds
from maintenance.records import parse
from tollbook.config import Settings
from tollbook.lake.catalog import open_catalog
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.outbox import Batch


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run did. `found`: batches that an earlier run had written and not acknowledged."""

    done: Committed
    found: int
    seconds: float

    def __str__(self) -> str:
        """Say it in one line."""
        repaired = f", {self.found} batches found written by an earlier run" if self.found else ""
        return (
            f"archived: {self.done.appended} rows appended, {self.done.replaced} replaced, {self.done.deleted} deleted,"
            f" {self.done.files} files{repaired}, {self.seconds:.1f} s"
        )


def run(
    settings: Settings, *, grace_s: float = outbox.GRACE_S, progress: Callable[[int, int], None] | None = None
) -> Run:
    """Archive every row that has waited `grace_s`. `progress` is told rows done and rows due.

    Raises StoreUnavailable, ArchiveError or SettingsError; what was done until then stays done.
    """
    begun = time.monotonic()
    done, found, rows = Committed(), 0, 0
    with connect(settings.require_database_url(), name="archive", autocommit=True) as connection:
        check_schema(connection)
        with outbox.sole_archiver(connection), open_catalog(settings) as catalog:
            due = outbox.due_before(connection, grace_s=grace_s)
            left = outbox.left_behind(connection)
            total = outbox.waiting(connection, before=due) + sum(batch.rows for batch in left)
            while batch := left.pop(0) if left else outbox.claim(connection, before=due):
                written = finish(connection, catalog, batch)
                done, found, rows = done + (written or Committed()), found + (written is None), rows + batch.rows
                if progress:
                    progress(rows, total)
    return Run(done=done, found=found, seconds=time.monotonic() - begun)


def finish(connection: Connection, catalog: Catalog, batch: Batch) -> Committed | None:
    """Bring a claimed batch into the archive and out of the outbox; None when the archive held it already."""
    table = ensure_table(catalog)
    written = (
        None
        if holds(table, batch.batch_id)
        else commit(table, batch.batch_id, parse(outbox.read_csv(connection, batch)))
    )
    outbox.acknowledge(connection, batch.batch_id)
    return written
