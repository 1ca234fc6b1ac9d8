"""How events get out, in a few numbers: for metrics and `tollbook doctor`."""

from dataclasses import dataclass
from typing import Final

from tollbook.store.database import Connection, store_errors
from tollbook.store.events.turns import count_processes

#: What waits is counted to this: a dead endpoint may have millions.
COUNTED: Final = 100_000

# Nothing is sent to an account that is disabled: its endpoints neither work nor fail, and what waits is not late.
_READ: Final = """
    WITH endpoint AS (
        SELECT webhook_id, failures, disabled_at IS NULL AS is_on FROM webhook
        WHERE deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM account WHERE account.account_id = webhook.account_id AND account.disabled_at IS NOT NULL
        )
    )
    SELECT (SELECT count(*) FROM endpoint WHERE is_on AND failures = 0),
           (SELECT count(*) FROM endpoint WHERE is_on AND failures > 0),
           (SELECT count(*) FROM endpoint WHERE NOT is_on),
           (SELECT coalesce(sum(delivered), 0)::bigint FROM webhook),
           (SELECT coalesce(sum(failed), 0)::bigint FROM webhook),
           (SELECT coalesce(sum(dead), 0)::bigint FROM webhook),
           (SELECT count(*) FROM (SELECT FROM event_delivery WHERE dead_at IS NULL LIMIT %s) AS waiting),
           (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(oldest.due_at)), 0)::float8
            FROM endpoint CROSS JOIN LATERAL (
                SELECT due_at FROM event_delivery AS waiting
                WHERE waiting.webhook_id = endpoint.webhook_id AND dead_at IS NULL AND due_at <= clock_timestamp()
                ORDER BY due_at LIMIT 1
            ) AS oldest
            WHERE is_on AND failures = 0)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsOut:
    """Endpoints of enabled accounts that take what they are sent, that fail, or are off; what was and is delivered.

    `delivered`, `failed` (tries) and `given_up` grow, and fall when an endpoint is deleted for good. `waiting` is
    counted to COUNTED. `late_s`: for how long the oldest delivery has waited that no failure holds up. `processes`
    deliver.
    """

    working: int
    failing: int
    off: int
    delivered: int
    failed: int
    given_up: int
    waiting: int
    late_s: float
    processes: int


def read_events_out(connection: Connection) -> EventsOut:
    """Return the numbers; raises StoreUnavailable."""
    with store_errors():
        row = connection.execute(_READ, (COUNTED,)).fetchone()
    assert row is not None
    working, failing, off, delivered, failed, given_up, waiting, late_s = row
    return EventsOut(
        working=working, failing=failing, off=off, delivered=delivered, failed=failed, given_up=given_up,
        waiting=waiting, late_s=max(late_s, 0.0), processes=count_processes(connection),
    )  # fmt: skip
