"""The calls that are up now, and who of them waits in a queue."""

from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.up_now import NotedTimes, UpCall, wait_now
from tollbook.store.database import Connection, store_errors

#: A larger switch has a wall of its own. Of more calls the newest are read, and the answer says that there are more.
MAX_UP: Final = 2_000

# Of the legs of a call those alone that say something of a queue. The bound on created_us spares the partitions of all
# other days: no leg of a call begins long before its row does.
_UP: Final = """
    WITH up AS MATERIALIZED (
        SELECT start_ts, call_id, switch, account_id, direction, from_num, to_num, answered, queue_id, agent_id
        FROM call_cdr WHERE end_ts IS NULL AND (%(account)s::text IS NULL OR account_id = %(account)s)
        ORDER BY start_ts DESC, call_id DESC, switch DESC LIMIT %(most)s
    )
    SELECT up.*, leg.queue, leg.ended, leg.noted FROM up LEFT JOIN LATERAL (
        SELECT coalesce(facts -> 'create' ->> 'cc_queue', facts -> 'look' ->> 'cc_queue') AS queue,
            ended, facts -> 'noted' AS noted, created_us, uid
        FROM call_leg
        WHERE call_leg.call_id = up.call_id AND call_start_ts = up.start_ts AND call_leg.switch = up.switch
          AND created_us >= up.start_ts * 1000 - 3600000000
          AND (facts -> 'noted' IS NOT NULL OR facts -> 'create' ->> 'cc_queue' IS NOT NULL
               OR facts -> 'look' ->> 'cc_queue' IS NOT NULL)
        LIMIT 200
    ) AS leg ON true
    ORDER BY start_ts DESC, up.call_id DESC, up.switch DESC, created_us, uid
"""


def read_up_now(connection: Connection, accounts: Accounts) -> tuple[list[UpCall], bool]:
    """Read the calls that are up, newest first, and whether there are more than MAX_UP; raises StoreUnavailable."""
    account = accounts.account_id if isinstance(accounts, OneAccount) else None
    with store_errors():
        rows = connection.execute(_UP, {"account": account, "most": MAX_UP + 1}).fetchall()
    found: list[UpCall] = []
    for (start_ts, call_id, _), group in groupby(rows, key=itemgetter(0, 1, 2)):
        legs = list(group)
        account_id, direction, from_num, to_num, answered, queue_id, agent_id = legs[0][3:10]
        named = [queue for *_, queue, _, _ in legs if queue]
        wait = wait_now(_times(ended, noted) for *_, ended, noted in legs if noted)
        found.append(
            UpCall(
                call_id=call_id,
                account_id=account_id,
                direction=direction,
                from_num=from_num,
                to_num=to_num,
                start_ts=start_ts,
                talking=answered == 1 and wait is None,
                # The row has the queue of the agent who answered last: who waits again may wait in another one.
                queue_id=(wait.queue_id if wait else None) or queue_id or (named[-1] if named else None),
                agent_id=agent_id,
                waiting_since=wait.since_ts if wait else None,
            )
        )
    return found[:MAX_UP], len(found) > MAX_UP


def _times(ended: bool, noted: dict[str, Any]) -> NotedTimes:
    in_queue = noted.get("in_queue")
    return NotedTimes(
        ended=ended,
        joined_us=tuple(noted.get("joined_us", ())),
        left_us=tuple(noted.get("left_us", ())),
        bridged_us=tuple(noted.get("bridged_us", ())),
        in_queue=(in_queue[0], in_queue[1]) if in_queue else None,
    )
