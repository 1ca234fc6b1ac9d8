"""Forgets events after their days, delivered or not, endpoints that were deleted, and deliveries that lack either."""

from dataclasses import dataclass
from typing import Final

from tollbook.store.database import Connection, limit_transaction, store_errors

#: Removed in one transaction: some 50 ms.
_AT_ONCE: Final = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """How many events were forgotten, and how many deliveries of them an endpoint was never told."""

    events: int = 0
    undelivered: int = 0


_FORGET: Final = """
    WITH forgotten AS (
        DELETE FROM call_event WHERE seq = ANY (ARRAY(
            SELECT seq FROM call_event WHERE made_at < now() - make_interval(days => %s) ORDER BY made_at LIMIT %s
        ))
        RETURNING seq
    ), untold AS (
        DELETE FROM event_delivery USING forgotten WHERE event_delivery.seq = forgotten.seq RETURNING dead_at
    )
    SELECT (SELECT count(*) FROM forgotten), (SELECT count(*) FROM untold WHERE dead_at IS NULL)
"""

_FORGET_DELETED: Final = """
    WITH deleted AS (
        SELECT webhook_id FROM webhook WHERE deleted_at IS NOT NULL
    ), removed AS (
        DELETE FROM event_delivery WHERE ctid = ANY (ARRAY(
            SELECT event_delivery.ctid FROM event_delivery JOIN deleted USING (webhook_id) LIMIT %s
        ))
        RETURNING webhook_id
    )
    SELECT count(*) FROM removed
"""

# A replay that ran beside a removal of its events leaves some, as one of an endpoint that an erasure removed does.
_FORGET_ORPHANS: Final = """
    WITH looked_at AS (
        SELECT DISTINCT seq FROM event_delivery WHERE seq > %(after)s ORDER BY seq LIMIT %(limit)s
    ), removed AS (
        DELETE FROM event_delivery WHERE seq = ANY (ARRAY(SELECT seq FROM looked_at)) AND (
            (SELECT true FROM call_event WHERE call_event.seq = event_delivery.seq) IS NULL
            OR (SELECT true FROM webhook WHERE webhook.webhook_id = event_delivery.webhook_id) IS NULL
        )
    )
    SELECT count(*), max(seq) FROM looked_at
"""


def forget_events(connection: Connection, days: int) -> Forgotten:
    """Forget the events of more than `days` days ago, and the deleted endpoints with all that waited for them.

    Call in autocommit; raises StoreUnavailable.
    """
    events = undelivered = 0
    some = _AT_ONCE
    while some == _AT_ONCE:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_FORGET, (days, _AT_ONCE)).fetchone()
            assert row is not None
            some, untold = row
            events, undelivered = events + some, undelivered + untold
    some = _AT_ONCE
    while some == _AT_ONCE:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_FORGET_DELETED, (_AT_ONCE,)).fetchone()
            assert row is not None
            (some,) = row
    _forget_orphans(connection)
    with store_errors():
        # Those that were deleted a day ago: a delivery to one may have been under way.
        connection.execute(
            "DELETE FROM webhook WHERE deleted_at < now() - interval '1 day' AND NOT EXISTS ("
            "SELECT FROM event_delivery AS waiting WHERE waiting.webhook_id = webhook.webhook_id)"
        )
    return Forgotten(events=events, undelivered=undelivered)


def _forget_orphans(connection: Connection) -> None:
    after, some = -(2**63), _AT_ONCE
    while some == _AT_ONCE:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_FORGET_ORPHANS, {"after": after, "limit": _AT_ONCE}).fetchone()
            assert row is not None
            some, after = row
