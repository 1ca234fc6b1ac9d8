"""The numbers of our advisory locks: what each protects, and the order in which they are taken.

The numbers are an agreement between our programs within one database. A program that takes several locks takes them in
the order listed here, so that no two wait for each other:

- `tollbook prune`: ARCHIVE_LOCK, PARTITION_LOCK, LEG_LOCK
- a batch of legs: SWITCH_LOCKS ordered by hash; then, for old calls, LEG_LOCK shared. When a day's partition is
  missing, PARTITION_LOCK first, released before the others are taken
- `tollbook db upgrade`: only UPGRADE_LOCK

Prune requests each lock within its transaction with a short `lock_timeout` (`tollbook.store.days.prune`). It also needs
table locks, which batches hold too: when it would wait for one, it releases all its locks and starts again.
"""

from typing import Final

# All belong to a transaction, never to a session: behind PgBouncer the next transaction may have another session.

# Held by the transaction that upgrades the schema: of two concurrent upgrades, the second finds nothing to do.
UPGRADE_LOCK: Final = 7_264_100_001

# Held by every command that writes the archive, on a connection of its own, and by prune from verifying a day to
# dropping it. Two concurrent archivers would make each other's commits fail. The lock of a killed process is released.
ARCHIVE_LOCK: Final = 7_264_100_003

# Held by a transaction that creates or drops a partition.
PARTITION_LOCK: Final = 7_264_100_002

# The first of two numbers; the second is the hash of a switch's name. Held by a batch until its transaction ends, so
# the batches of one switch run one after the other. PostgreSQL keeps two-number locks apart from one-number locks.
SWITCH_LOCKS: Final = 7264

# Held shared by a batch that touches calls old enough to be pruned, and exclusively by prune while it drops their legs:
# so the legs that such a batch has read stay until the batch ends.
LEG_LOCK: Final = 7_264_100_004
