"""When an account's waiting rows are archived. Pure.

Each flush writes a file per account and month, and it is files that cost: a commit to 10,000 accounts takes 40 s
however few the rows, and a reader opens every file of its account. So rows wait until there are many, or for a day.
"""

from collections.abc import Sequence

from tollbook.store.outbox import AccountWaiting
from tollbook.times import SECONDS_PER_DAY, SECONDS_PER_HOUR

# Half a row group of the archive, which a page of an hour reads anyway.
FLUSH_ROWS = 10_000
FLUSH_AGE_S = float(SECONDS_PER_DAY)

# Accounts that are due within an hour are archived together with one that is due by its age. That makes some 24 commits
# a day, instead of one per run.
COMPANY_AGE_S = FLUSH_AGE_S - SECONDS_PER_HOUR


def due(waiting: Sequence[AccountWaiting]) -> list[AccountWaiting]:
    """Return the accounts to archive now, in the order given; `waiting` need not have those with few and young rows."""
    overdue = any(account.oldest_s >= FLUSH_AGE_S for account in waiting)
    return [
        account for account in waiting if account.rows >= FLUSH_ROWS or (overdue and account.oldest_s >= COMPANY_AGE_S)
    ]
