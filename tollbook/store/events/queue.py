"""What waits for endpoints: what is due, and what became of it.

Of the deliveries of a call to an endpoint only the first is ever due: the next one follows when it is delivered or
given up. So the revisions of a call arrive in order, and other calls do not wait.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from tollbook.store.database import Connection, limit_transaction, store_errors

#: An endpoint and one of its deliveries: webhook_id, seq.
DeliveryKey = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint to which something may be sent. `account_id` None: every account. `failures`: in a row.

    `paused_s`: for how long nothing is sent to it; 0 or less: it may be tried.
    """

    webhook_id: int
    account_id: str | None
    kind: str
    url: str
    secret: str
    failures: int
    failing_for_s: float
    paused_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """An event to tell an endpoint of. `record`: the row as it was; None for a test. Times are epoch ms.

    `attempts` have failed, the first `failed_for_s` ago.
    """

    webhook_id: int
    seq: int
    attempts: int
    failed_for_s: float
    event_id: UUID
    event: str
    account_id: str | None
    start_ts: int | None
    call_id: str | None
    switch: str | None
    revision: int
    made_ms: int
    record: Mapping[str, Any] | None

    @property
    def key(self) -> DeliveryKey:
        """The endpoint and the event."""
        return self.webhook_id, self.seq

    @property
    def message_id(self) -> str:
        """The event's id: the same each time it is sent, to every endpoint."""
        return f"evt_{self.event_id.hex}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A delivery that failed, why, and after how long it is tried again; None: it is given up."""

    key: DeliveryKey
    error: str
    again_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointState:
    """What became of an endpoint: `failures` in a row, and for how long it is paused.

    `off`: why it is switched off; '' if it is not.
    """

    webhook_id: int
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    failures: int = 0
    pause_s: float = 0.0
    error: str = ""
    off: str = ""


_ENDPOINTS: Final = """
    SELECT webhook_id, account_id, kind, url, secret, failures,
           coalesce(extract(epoch FROM clock_timestamp() - failing_since), 0)::float8,
           coalesce(extract(epoch FROM paused_until - clock_timestamp()), 0)::float8
    FROM webhook
    WHERE deleted_at IS NULL AND disabled_at IS NULL AND (webhook_id %% %s) = ANY (%s::int[])
      AND NOT EXISTS (
          SELECT FROM account WHERE account.account_id = webhook.account_id AND account.disabled_at IS NOT NULL
      )
    ORDER BY webhook_id LIMIT %s
"""

# A delivery whose event is gone, as a replay leaves that ran beside `tollbook prune` or an erasure, is passed over: it
# must not take the room of others, nor hold up those of its call. Events and earlier deliveries are looked up one by
# one (scalar subqueries, and OFFSET 0), as the few that are wanted need: the planner cannot know the rooms, and its
# statistics are those of a queue that was empty. By them it would read all that waits, for each of the few.
_DUE: Final = """
    SELECT found.webhook_id, found.seq, found.attempts,
           coalesce(extract(epoch FROM clock_timestamp() - found.failed_since), 0)::float8,
           event_id, event, account_id, start_ts, call_id, switch, revision,
           (extract(epoch FROM made_at) * 1000)::bigint, record
    FROM unnest(%(endpoints)s::bigint[], %(rooms)s::int[]) AS wanted (webhook_id, room)
    CROSS JOIN LATERAL (
        SELECT webhook_id, seq, attempts, failed_since FROM event_delivery AS first
        WHERE first.webhook_id = wanted.webhook_id AND dead_at IS NULL AND due_at <= clock_timestamp()
          AND (SELECT true FROM call_event WHERE call_event.seq = first.seq)
          AND NOT EXISTS (
              SELECT FROM unnest(%(busy)s::bigint[], %(seqs)s::bigint[]) AS sent (webhook_id, seq)
              WHERE (sent.webhook_id, sent.seq) = (first.webhook_id, first.seq)
          )
          AND (
              SELECT earlier.seq FROM event_delivery AS earlier
              WHERE earlier.webhook_id = first.webhook_id AND earlier.call_no = first.call_no
                AND earlier.seq < first.seq AND earlier.dead_at IS NULL
                AND (SELECT true FROM call_event WHERE call_event.seq = earlier.seq)
              ORDER BY earlier.seq LIMIT 1
          ) IS NULL
        ORDER BY due_at, seq LIMIT wanted.room
    ) AS found CROSS JOIN LATERAL (SELECT * FROM call_event WHERE call_event.seq = found.seq OFFSET 0) AS event
    LIMIT %(limit)s
"""

# Deliveries that wait for an earlier one of their call, which failed, wait as long: so that they are not looked at, and
# passed over, each time. Of each endpoint the oldest alone are looked at, which are what `_DUE` would pass over:
# millions wait for a dead endpoint, and to look for a few among all of them takes longer than a statement may.
_WAIT_FOR_EARLIER: Final = """
    UPDATE event_delivery AS later SET due_at = waiting.until
    FROM (
        SELECT due.webhook_id, due.seq, earlier.due_at AS until
        FROM unnest(%s::bigint[]) AS failing (webhook_id)
        CROSS JOIN LATERAL (
            SELECT webhook_id, seq, call_no FROM event_delivery AS oldest
            WHERE oldest.webhook_id = failing.webhook_id AND dead_at IS NULL AND due_at <= clock_timestamp()
            ORDER BY due_at, seq LIMIT %s
        ) AS due
        CROSS JOIN LATERAL (
            SELECT due_at FROM event_delivery AS earlier
            WHERE earlier.webhook_id = due.webhook_id AND earlier.call_no = due.call_no AND earlier.seq < due.seq
              AND earlier.dead_at IS NULL
            ORDER BY earlier.seq LIMIT 1
        ) AS earlier
        WHERE earlier.due_at > clock_timestamp()
    ) AS waiting
    WHERE (later.webhook_id, later.seq) = (waiting.webhook_id, waiting.seq)
"""
#: Of each endpoint, each second: more than fail in that time.
LOOKED_AT: Final = 200

_DELIVERED: Final = """
    DELETE FROM event_delivery AS done USING unnest(%s::bigint[], %s::bigint[]) AS told (webhook_id, seq)
    WHERE (done.webhook_id, done.seq) = (told.webhook_id, told.seq)
"""
# A delivery may be gone by now, with its event or its endpoint.
_FAILED: Final = """
    UPDATE event_delivery AS again SET
        attempts = attempts + 1, failed_since = coalesce(failed_since, clock_timestamp()), error = failed.error,
        due_at = clock_timestamp() + make_interval(secs => coalesce(failed.again_s, 0)),
        dead_at = CASE WHEN failed.again_s IS NULL THEN clock_timestamp() END
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::float8[]) AS failed (webhook_id, seq, error, again_s)
    WHERE (again.webhook_id, again.seq) = (failed.webhook_id, failed.seq)
"""
_STATES: Final[LiteralString] = """
    UPDATE webhook SET
        delivered = webhook.delivered + now_is.delivered, failed = webhook.failed + now_is.failed,
        dead = webhook.dead + now_is.dead,
        delivered_at = CASE WHEN now_is.delivered > 0 THEN clock_timestamp() ELSE delivered_at END,
        failures = now_is.failures,
        failing_since = CASE WHEN now_is.failures > 0 THEN coalesce(
            CASE WHEN now_is.delivered = 0 THEN failing_since END, clock_timestamp()) END,
        paused_until = CASE WHEN now_is.pause_s > 0
            THEN clock_timestamp() + make_interval(secs => now_is.pause_s) END,
        last_error = CASE WHEN now_is.error <> '' THEN now_is.error ELSE last_error END,
        disabled_at = CASE WHEN now_is.off <> '' THEN coalesce(disabled_at, clock_timestamp()) ELSE disabled_at END,
        disabled_why = CASE WHEN now_is.off <> '' THEN coalesce(disabled_why, now_is.off) ELSE disabled_why END
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::float8[], %s::text[], %s::text[]
    ) AS now_is (webhook_id, delivered, failed, dead, failures, pause_s, error, off)
    WHERE webhook.webhook_id = now_is.webhook_id
"""


def read_endpoints(connection: Connection, turns: Collection[int], *, of: int, limit: int) -> list[Endpoint]:
    """Return the endpoints whose number modulo `of` is among `turns`, `limit` at most, of accounts that are enabled.

    Raises StoreUnavailable.
    """
    with store_errors():
        rows = connection.execute(_ENDPOINTS, (of, list(turns), limit)).fetchall()
    return [
        Endpoint(
            webhook_id=webhook_id, account_id=account, kind=kind, url=url, secret=secret, failures=failures,
            failing_for_s=failing_for_s, paused_s=paused_s,
        )
        for webhook_id, account, kind, url, secret, failures, failing_for_s, paused_s in rows
    ]  # fmt: skip


def read_due(
    connection: Connection, rooms: Mapping[int, int], busy: Collection[DeliveryKey], *, limit: int
) -> list[Delivery]:
    """Return what is due for each endpoint, at most its room, without what is being delivered (`busy`) already.

    The oldest first, and of a call the first alone; `limit` in all, the first endpoints first. Raises StoreUnavailable.
    """
    if not rooms or limit <= 0:
        return []
    parameters = {
        "endpoints": list(rooms), "rooms": list(rooms.values()),
        "busy": [webhook_id for webhook_id, _ in busy], "seqs": [seq for _, seq in busy], "limit": limit,
    }  # fmt: skip
    with store_errors():
        rows = connection.execute(_DUE, parameters).fetchall()
    return [
        Delivery(
            webhook_id=webhook_id, seq=seq, attempts=attempts, failed_for_s=failed_for_s, event_id=event_id,
            event=event, account_id=account, start_ts=start_ts, call_id=call_id, switch=switch, revision=revision,
            made_ms=made_ms, record=record,
        )
        for webhook_id, seq, attempts, failed_for_s, event_id, event, account, start_ts, call_id, switch, revision,
        made_ms, record in rows
    ]  # fmt: skip


def wait_for_earlier(connection: Connection, endpoints: Collection[int], *, looked_at: int = LOOKED_AT) -> None:
    """Let what waits for an earlier delivery of its call, which failed, be due when that is.

    Of each endpoint so many that are due are `looked_at`, the oldest. Raises StoreUnavailable.
    """
    with store_errors():
        connection.execute(_WAIT_FOR_EARLIER, (list(endpoints), looked_at))


def settle(
    connection: Connection,
    delivered: Sequence[DeliveryKey],
    failed: Sequence[Failure],
    states: Sequence[EndpointState],
) -> None:
    """Write what became of deliveries and of their endpoints, in one transaction; raises StoreUnavailable."""
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        with connection.pipeline():
            if delivered:
                connection.execute(_DELIVERED, ([key[0] for key in delivered], [key[1] for key in delivered]))
            if failed:
                connection.execute(
                    _FAILED,
                    (
                        [failure.key[0] for failure in failed], [failure.key[1] for failure in failed],
                        [failure.error for failure in failed], [failure.again_s for failure in failed],
                    ),
                )  # fmt: skip
            ordered = sorted(states, key=lambda state: state.webhook_id)
            connection.execute(
                _STATES,
                (
                    [state.webhook_id for state in ordered], [state.delivered for state in ordered],
                    [state.failed for state in ordered], [state.dead for state in ordered],
                    [state.failures for state in ordered], [state.pause_s for state in ordered],
                    [state.error for state in ordered], [state.off for state in ordered],
                ),
            )  # fmt: skip
