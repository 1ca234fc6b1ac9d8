"""`agent_day`: what the closed days of agents came to, kept for ever; and what of the open ones PostgreSQL drops."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tollbook.model.agents.figures import AgentSums, AgentTime
from tollbook.model.agents.spans import Bucket
from tollbook.store.agents.accounts import SETTLE
from tollbook.store.agents.removal import removing_agents
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, limit_transaction, scalar, store_errors
from tollbook.times import US_PER_DAY, US_PER_MS

# Those that take time; `wrapup` never does.
_SUMMED: Final[tuple[Bucket, ...]] = ("ready", "offering", "incall", "idle", "paused", "offline", "unknown")

_ADD: Final = """
    INSERT INTO agent_day (day, switch, agent, account_id, handled,
        ready_ms, offering_ms, incall_ms, idle_ms, paused_ms, offline_ms, unknown_ms)
    SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::integer[], %s::integer[],
        %s::integer[], %s::integer[], %s::integer[], %s::integer[], %s::integer[])
    ON CONFLICT DO NOTHING
"""
_SUM: Final = """
    SELECT switch, agent, account_id, sum(handled)::bigint, sum(ready_ms)::bigint, sum(offering_ms)::bigint,
        sum(incall_ms)::bigint, sum(idle_ms)::bigint, sum(paused_ms)::bigint, sum(offline_ms)::bigint,
        sum(unknown_ms)::bigint
    FROM agent_day
    WHERE day >= %(first)s AND day < %(end)s AND (%(agent)s::text IS NULL OR agent = %(agent)s)
    GROUP BY switch, agent, account_id ORDER BY switch, agent, max(day), account_id
"""
# Of each kind the last change before the cut still holds after it.
_DROP_CHANGES: Final = """
    DELETE FROM agent_state WHERE ctid IN (
        SELECT said.ctid FROM agent_state AS said
        WHERE at_us < %(cut_us)s AND EXISTS (
            SELECT FROM agent_state AS later
            WHERE later.switch = said.switch AND later.agent = said.agent AND later.kind = said.kind
              AND later.at_us <= %(cut_us)s AND (later.at_us, later.sequence) > (said.at_us, said.sequence)
        )
        LIMIT %(most)s
    )
"""
# Whom the switch has removed, and those of a switch that is not heard any more.
_DROP_AGENTS: Final = """
    WITH gone AS (
        SELECT switch, agent FROM agent AS known
        WHERE NOT EXISTS (
            SELECT FROM agent_state AS said
            WHERE said.switch = known.switch AND said.agent = known.agent AND said.at_us >= %(cut_us)s
        ) AND (
            NOT EXISTS (SELECT FROM switch_process AS life WHERE life.switch = known.switch AND seen_us >= %(cut_us)s)
            OR NOT EXISTS (
                SELECT FROM agent_state AS said
                WHERE said.switch = known.switch AND said.agent = known.agent AND said.kind <> 'removed'
                  AND NOT EXISTS (
                    SELECT FROM agent_state AS removal
                    WHERE removal.switch = said.switch AND removal.agent = said.agent AND removal.kind = 'removed'
                      AND removal.at_us >= said.at_us
                  )
            )
        )
    ), said AS (
        DELETE FROM agent_state USING gone WHERE agent_state.switch = gone.switch AND agent_state.agent = gone.agent
    ), served AS (
        DELETE FROM agent_served USING gone WHERE agent_served.switch = gone.switch AND agent_served.agent = gone.agent
    )
    DELETE FROM agent USING gone WHERE agent.switch = gone.switch AND agent.agent = gone.agent
"""
# A statement that deletes more would hold its locks for seconds.
_DROPPED_AT_ONCE: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DroppedChanges:
    """What prune dropped."""

    changes: int
    agents: int

    def __str__(self) -> str:
        """Return it as one line."""
        return f"agents: {self.changes} changes of closed days dropped, and {self.agents} agents that are gone"


def close_day(connection: Connection, day: int, sums: Sequence[AgentTime]) -> None:
    """Keep what a day came to, and take no more changes of it, nor of the days before. What is kept already stays.

    Call in autocommit. Raises StoreUnavailable.
    """
    rows = [
        (row.switch, row.agent, row.account_id, row.sums.handled, *(row.sums.ms.get(name, 0) for name in _SUMMED))
        for row in sums
    ]
    columns = [array_literal(column) for column in zip(*rows, strict=True)]
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute("UPDATE agent_window SET open_day = greatest(open_day, %s)", (day + 1,))
        if rows and not scalar(connection, "SELECT EXISTS (SELECT FROM agent_day WHERE day = %s)", day):
            connection.execute(_ADD, (day, *columns))


def reopen_days(connection: Connection, days: Collection[int]) -> int:
    """Let days be closed once more, as far as PostgreSQL has all that was said of them; return how many these are.

    Call in autocommit. Raises StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        kept_day = int(str(scalar(connection, "SELECT kept_day FROM agent_window")))
        again = sorted(day for day in days if day >= kept_day)
        if again:
            connection.execute("DELETE FROM agent_day WHERE day = ANY (%s)", (again,))
            connection.execute("UPDATE agent_window SET open_day = least(open_day, %s)", (again[0],))
    return len(again)


def replace_day(connection: Connection, day: int) -> None:
    """Forget what a closed day came to, for `close_day` to keep something else; raises StoreUnavailable."""
    with store_errors():
        connection.execute("DELETE FROM agent_day WHERE day = %s", (day,))


def closed_days(connection: Connection) -> set[int]:
    """Return the days whose sums are kept."""
    with store_errors():
        return {day for (day,) in connection.execute("SELECT DISTINCT day FROM agent_day")}


def first_open_day(connection: Connection) -> int | None:
    """Return the first day that is not closed and of which, or of one before, anything was said; None: nothing is."""
    with store_errors():
        said_us = scalar(connection, "SELECT min(at_us) FROM agent_state")
        if said_us is None:  # `greatest` would pass it over, and every day since 1970 be due
            return None
        return max(int(str(scalar(connection, "SELECT open_day FROM agent_window"))), int(str(said_us)) // US_PER_DAY)


def sum_days(connection: Connection, first: int, end: int, *, agent: str | None = None) -> list[AgentTime]:
    """Add up the closed days of [first, end) of the agents that the connection sees, by agent and account.

    Of an agent that was several accounts' the last one comes last. Raises StoreUnavailable.
    """
    with store_errors():
        rows = connection.execute(_SUM, {"first": first, "end": end, "agent": agent}).fetchall()
    return [
        AgentTime(switch, name, account_id, AgentSums(ms=_spent(ms), handled=handled))
        for switch, name, account_id, handled, *ms in rows
    ]


def _spent(ms: Iterable[int]) -> dict[Bucket, int]:
    return {name: spent for name, spent in zip(_SUMMED, ms, strict=True) if spent}


def drop_changes(connection: Connection, before_day: int) -> DroppedChanges:
    """Drop what was said before a day, as far as its days are closed, but for what still holds; and whom nobody has.

    Call in autocommit. Raises StoreUnavailable.
    """
    changes = 0
    with store_errors():
        cut_day = min(before_day, int(str(scalar(connection, "SELECT open_day FROM agent_window"))))
        parameters = {"cut_us": cut_day * US_PER_DAY, "most": _DROPPED_AT_ONCE}
        # First: whoever reads a day that is dropped meanwhile is told that it is not kept.
        connection.execute("UPDATE agent_window SET kept_day = greatest(kept_day, %s)", (cut_day,))
        while dropped := connection.execute(_DROP_CHANGES, parameters).rowcount:
            changes += dropped
        connection.execute("DELETE FROM agent_gap WHERE until_us <= %(cut_us)s", parameters)
    with removing_agents(connection):
        agents = connection.execute(_DROP_AGENTS, parameters).rowcount
        connection.execute("DELETE FROM agent_served WHERE last_ts < %s", (cut_day * US_PER_DAY // US_PER_MS,))
        connection.execute(SETTLE)  # who served two accounts, and one of them lately, is that one's now
    return DroppedChanges(changes=changes, agents=agents)
