"""When an account's waiting rows are archived: pure.

Every flush writes a file for each account and month, and files are what costs: a commit to 10,000 accounts takes 40 s
however few the rows, and a reader opens every file of its account. So rows wait until there are many, or a day is over.
"""

from collections.abc import Sequence

from tollbook.store.outbox import AccountWaiting

# Half a row group of the archive: what a page of an hour reads anyway.
FLUSH_ROWS = 10_000
FLUSH_AGE_S = 24 * 3600.0

# Accounts that are due within the hour go along with one that is due: some 24 commits a day, instead of one each run.
COMPANY_AGE_S = FLUSH_AGE_S - 3600.0


def due(waiting: Sequence[AccountWaiting]) -> list[AccountWaiting]:
    """Choose the accounts to flush now, in the order given; `waiting` may leave out those with few and young rows."""
    late = any(one.oldest_s >= FLUSH_AGE_S for one in waiting)
    return [one for one in waiting if one.rows >= FLUSH_ROWS or (late and one.oldest_s >= COMPANY_AGE_S)]
