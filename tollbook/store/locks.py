"""The numbers of our advisory locks: what each protects, and the order in which they are taken.

The numbers are an agreement between our programs within one database. A program that takes several locks takes them in
the order listed here, so that no two wait for each other:

- `tollbook prune`, `tollbook archive restore` and `attach`: ARCHIVE_LOCK, PARTITION_LOCK, LEG_LOCK
- a batch of legs: SWITCH_LOCKS ordered by hash; then, for old calls, LEG_LOCK shared. When a day's partition is
  missing, PARTITION_LOCK first, released before the others are taken
- `tollbook db upgrade`: only UPGRADE_LOCK
- `tollbook recover`: RECOVER_LOCK, and within it the locks of its batches of legs
- `tollbook import`: for each chunk of calls RECOVER_LOCK, within it ARCHIVE_LOCK if some are older than the window,
  and the locks of its batches of legs
- `tollbook rerate`: RERATE_LOCK, and within it the locks of its pages
- `tollbook statement`: only STATEMENT_LOCK
- whoever writes sums: a lock on the table `sum_state` (`tollbook.store.sums.writing`), to build a day within
  ARCHIVE_LOCK
- a request that makes an endpoint or a test: only one of WEBHOOK_LOCKS
- `tollbook deliver`: DELIVER_LOCK shared, then some of DELIVER_TURNS, on a connection of its own
- what a listener has heard of agents: only AGENT_LOCK, shared
- `tollbook account erase`: RERATE_LOCK, RECOVER_LOCK and ARCHIVE_LOCK to its end; within them, for each piece,
  SWITCH_LOCKS; `archive attach` takes them so within ARCHIVE_LOCK, where it removes calls
- whoever removes agents: ARCHIVE_LOCK, and within it AGENT_LOCK for a moment (`tollbook.store.agents.removal`)

Prune requests each lock within its transaction with a short `lock_timeout` (`tollbook.store.days.prune`). It also needs
table locks, which batches hold too: when it would wait for one, it releases all its locks and starts again.
"""

from collections.abc import Iterable
from typing import Final

from tollbook.store.database import Connection

# All belong to a transaction, never to a session: behind PgBouncer the next transaction may have another session.

# Held by the transaction that upgrades the schema: of two concurrent upgrades, the second finds nothing to do.
UPGRADE_LOCK: Final = 7_264_100_001

# Held by every command that writes the archive, on a connection of its own, and by prune from verifying a day to
# dropping it. Two concurrent archivers would make each other's commits fail. The lock of a killed process is released.
ARCHIVE_LOCK: Final = 7_264_100_003

# Held by a transaction that creates or drops a partition.
PARTITION_LOCK: Final = 7_264_100_002

# Held by `tollbook recover`, on a connection of its own: recoveries of several machines take turns.
RECOVER_LOCK: Final = 7_264_100_005

# Held by `tollbook rerate` while it changes prices, on a connection of its own, and by an erasure: a call that was read
# to be priced would be written once more after it is erased.
RERATE_LOCK: Final = 7_264_100_006

# Held by the transaction that writes a statement, which takes the next number of its series: so a series has no gap.
STATEMENT_LOCK: Final = 7_264_100_010

# Held shared by each process that delivers events, on a connection of its own: so they are counted.
DELIVER_LOCK: Final = 7_264_100_011

# Held shared by a transaction that adds what was heard of agents, and exclusively by one that removes agents: so
# nothing is added to an agent at the moment of its removal, to stay behind without it.
AGENT_LOCK: Final = 7_264_100_012

# The first of two numbers; the second is which of the turns (`tollbook.store.events.turns`). Held by the process whose
# turn it is to tell the endpoints of these numbers.
DELIVER_TURNS: Final = 7265

# The first of two numbers; the second is the hash of an account's name ('': operators'). Held by a transaction that
# makes an endpoint of the account, or a test: there may be so many.
WEBHOOK_LOCKS: Final = 7266

# The first of two numbers; the second is the hash of a switch's name. Held by a batch until its transaction ends, so
# the batches of one switch run one after the other. PostgreSQL keeps two-number locks apart from one-number locks.
SWITCH_LOCKS: Final = 7264

# Held shared by a batch that touches calls old enough to be pruned or restored, and exclusively by whoever drops their
# legs: so the legs that such a batch has read stay until the batch ends.
LEG_LOCK: Final = 7_264_100_004


def lock_switches(connection: Connection, switches: Iterable[str]) -> None:
    """Take the locks of these switches until the transaction ends, in a fixed order. Raises psycopg.Error."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, switch) FROM"
        " (SELECT DISTINCT hashtext(name) AS switch FROM unnest(%s::text[]) AS name ORDER BY 1) AS ordered",
        (SWITCH_LOCKS, sorted(set(switches))),
    )
