"""What an erasure removes from PostgreSQL: endpoints, events, rows with their legs, and old prices."""

from uuid import UUID

from maintenance.erase.scope import Scope
from maintenance.progress import Progress
from tollbook.store.database import Connection
from tollbook.store.erasure import calls, events, old_prices, removal


def remove_stored(connection: Connection, erasure_id: UUID, scope: Scope, progress: Progress) -> None:
    """Remove the collected calls, and what else there is of the account or the number. Raises StoreUnavailable."""
    number, account_id, until_ts = scope.number, scope.account_id, scope.until_ts
    if number is None and account_id is not None:
        for _ in events.remove_events(connection, erasure_id, account_id, until_ts):
            pass
    total, done = calls.collected(connection, erasure_id), 0
    for removed in removal.remove(connection, erasure_id):
        done += removed
        progress(done, total)
    if number is not None:
        for remove in (old_prices.remove_old_prices_naming, events.remove_events_naming):
            remove(
                connection, erasure_id, number.sought,
                account_id=account_id, until_ts=until_ts, named_in=number.named_in_row,
            )  # fmt: skip
    elif account_id is not None:
        old_prices.remove_old_prices(connection, erasure_id, account_id, until_ts)
