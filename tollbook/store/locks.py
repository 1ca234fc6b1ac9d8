"""The numbers of our advisory locks: what each protects, and the order in which they are taken.

They are numbers that programs agree on, in one database. Whoever takes several takes them in the order in which they
stand here, so that no two wait for each other:

- `tollbook prune`: ARCHIVE_LOCK, PARTITION_LOCK, LEG_LOCK
- a batch of legs: SWITCH_LOCKS by their hash; then, for old calls, LEG_LOCK shared. Before them, and given back
  before them, PARTITION_LOCK for a day that is missing
- `tollbook db upgrade`: UPGRADE_LOCK, alone

Prune asks for each lock within its transaction with a short `lock_timeout` (`tollbook.store.days.prune`): where it
waits for the locks of tables, which batches hold too, it gives all of them back and begins again.
"""

from typing import Final

# Held by the connection that upgrades the schema: of two upgrades at once, the second finds nothing to do.
UPGRADE_LOCK: Final = 7_264_100_001

# Held by the session of every command that writes the archive, and of prune from its look at a day to the drop. Two
# archivers at once would refuse each other's commits. A killed one gives it up.
ARCHIVE_LOCK: Final = 7_264_100_003

# Held by a transaction that makes or drops a partition.
PARTITION_LOCK: Final = 7_264_100_002

# The first of two numbers; the second is the hash of a switch's name. Held by a batch until its transaction ends: the
# batches of one switch follow each other. PostgreSQL keeps locks of two numbers apart from those of one.
SWITCH_LOCKS: Final = 7264

# Held shared by a batch that touches calls as old as the window, exclusively by prune while it drops their legs: the
# legs that such a batch read are all there until it has ended.
LEG_LOCK: Final = 7_264_100_004
