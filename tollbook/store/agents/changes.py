"""`agent_state` and `agent_gap`: what was said of agents, and when nobody heard a switch. Only ever added to."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from tollbook.model.agents.change import MOST_AGENTS, AgentChange, ListedAgent
from tollbook.store.agents.accounts import SETTLE
from tollbook.store.agents.removal import adding_to_agents
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.times import US_PER_DAY

# A switch's agents are counted each time that it names a new one, which is rare.
_REGISTER: Final = """
    INSERT INTO agent (switch, agent)
    SELECT switch, agent FROM (
        SELECT switch, agent, row_number() OVER (PARTITION BY switch ORDER BY agent) AS place
        FROM (SELECT DISTINCT * FROM unnest(%(switches)s::text[], %(agents)s::text[]) AS said(switch, agent)) AS named
        WHERE NOT EXISTS (
            SELECT FROM agent AS known WHERE known.switch = named.switch AND known.agent = named.agent
        )
    ) AS new
    WHERE place <= %(most)s - (SELECT count(*) FROM agent AS known WHERE known.switch = new.switch)
    ORDER BY switch, agent ON CONFLICT DO NOTHING
"""
_KNOWN: Final = """
    SELECT switch, agent FROM agent
    JOIN (SELECT DISTINCT * FROM unnest(%(switches)s::text[], %(agents)s::text[])) AS said(switch, agent)
        USING (switch, agent)
"""
_ADD: Final = """
    INSERT INTO agent_state (switch, agent, kind, at_us, sequence, value)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[])
        AS said(switch, agent, kind, at_us, sequence, value)
    WHERE at_us >= (SELECT open_day FROM agent_window)::bigint * %s
    ORDER BY 1, 2, 3, 4, 5 ON CONFLICT DO NOTHING
"""
# The name that was heard last at the address. Its sign of life is that of the process which was heard last. Where there
# was none since the last gap began, that one goes on, although the agents were listed meanwhile.
_BEGIN_GAP: Final = """
    INSERT INTO agent_gap (switch, from_us)
    SELECT switch, greatest(seen_us, %(heard_us)s) FROM switch_process AS process
    WHERE address = %(address)s AND EXISTS (SELECT FROM agent WHERE agent.switch = process.switch)
    ORDER BY seen_us DESC LIMIT 1
    ON CONFLICT (switch, from_us) DO UPDATE SET until_us = NULL
"""
_END_GAPS: Final = """
    UPDATE agent_gap SET until_us = %(at_us)s WHERE switch = %(switch)s AND until_us IS NULL AND from_us < %(at_us)s
"""
# What differs from what was said last, or is said of an agent that had been removed.
_ADD_LISTED: Final = """
    INSERT INTO agent_state (switch, agent, kind, at_us, sequence, value)
    SELECT %(switch)s, agent, kind, %(at_us)s, 0, value
    FROM unnest(%(agents)s::text[], %(statuses)s::text[], %(states)s::text[]) AS listed(agent, status, state)
    CROSS JOIN LATERAL (VALUES ('status', status), ('state', state)) AS said(kind, value)
    LEFT JOIN LATERAL (
        SELECT before.value AS last_value, before.at_us AS last_us FROM agent_state AS before
        WHERE before.switch = %(switch)s AND before.agent = listed.agent AND before.kind = said.kind
          AND before.at_us <= %(at_us)s
        ORDER BY before.at_us DESC, before.sequence DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT max(before.at_us) AS removed_us FROM agent_state AS before
        WHERE before.switch = %(switch)s AND before.agent = listed.agent AND before.kind = 'removed'
          AND before.at_us <= %(at_us)s
    ) AS removal ON true
    WHERE EXISTS (SELECT FROM agent AS known WHERE known.switch = %(switch)s AND known.agent = listed.agent)
      AND (last_value IS DISTINCT FROM value OR removed_us >= last_us)
      AND %(at_us)s >= (SELECT open_day FROM agent_window)::bigint * %(day_us)s
    ORDER BY agent, kind ON CONFLICT DO NOTHING
"""
# mod_callcenter tells nobody that it deletes an agent.
_ADD_REMOVED: Final = """
    INSERT INTO agent_state (switch, agent, kind, at_us, sequence, value)
    SELECT %(switch)s, agent, 'removed', %(at_us)s, 0, ''
    FROM agent AS known
    CROSS JOIN LATERAL (
        SELECT max(at_us) FILTER (WHERE kind = 'removed') AS removed_us,
               max(at_us) FILTER (WHERE kind <> 'removed') AS said_us
        FROM (VALUES ('status'), ('state'), ('removed')) AS kinds(kind)
        CROSS JOIN LATERAL (
            SELECT max(before.at_us) AS at_us FROM agent_state AS before
            WHERE before.switch = known.switch AND before.agent = known.agent AND before.kind = kinds.kind
              AND before.at_us <= %(at_us)s
        ) AS newest
    ) AS last
    WHERE known.switch = %(switch)s AND agent <> ALL (%(agents)s::text[]) AND said_us > coalesce(removed_us, 0)
      AND %(at_us)s >= (SELECT open_day FROM agent_window)::bigint * %(day_us)s
    ORDER BY agent ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class HearingBegan:
    """A listener hears the switch at an address again, and whatever happened since `heard_us` went unheard.

    0, of a process that has just begun: since the last sign of life that the database has.
    """

    address: str
    heard_us: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentList:
    """The agents that a switch had at `at_us` (epoch µs, its clock), at most MOST_AGENTS."""

    switch: str
    at_us: int
    agents: Collection[ListedAgent]


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentNews:
    """What a listener has heard: first when hearing began, then the changes, then the lists."""

    began: Collection[HearingBegan] = ()
    changes: Collection[AgentChange] = ()
    lists: Collection[AgentList] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.began or self.changes or self.lists)


def write_news(connection: Connection, news: AgentNews) -> int:
    """Write what was heard, in one transaction; return how many changes were of agents beyond MOST_AGENTS a switch.

    Call before the signs of life of the same events are noted: what was heard until a sign of life is then here, and
    what nobody heard is known to be unknown. Raises StoreUnavailable and DataError.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        adding_to_agents(connection)
        for began in news.began:
            connection.execute(_BEGIN_GAP, {"address": began.address, "heard_us": began.heard_us})
        refused = _add_changes(connection, news.changes)
        for listed in news.lists:
            _add_list(connection, listed)
    return refused


def _add_changes(connection: Connection, changes: Collection[AgentChange]) -> int:
    if not changes:
        return 0
    known = _register(connection, ((change.switch, change.agent) for change in changes))
    taken = [change for change in changes if (change.switch, change.agent) in known]
    columns = [array_literal(column) for column in zip(*taken, strict=True)] or ["{}"] * len(AgentChange._fields)
    connection.execute(_ADD, (*columns, US_PER_DAY))
    return len(changes) - len(taken)


def _register(connection: Connection, named: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Make agents known, as long as their switch has not too many; return those of them that are."""
    pairs = sorted({*named})
    names = {
        "switches": array_literal([switch for switch, _ in pairs]),
        "agents": array_literal([agent for _, agent in pairs]),
        "most": MOST_AGENTS,
    }
    if connection.execute(_REGISTER, names).rowcount:
        connection.execute(SETTLE)
    return {(switch, agent) for switch, agent in connection.execute(_KNOWN, names)}


def _add_list(connection: Connection, listed: AgentList) -> None:
    agents = list({agent.agent: agent for agent in listed.agents}.values())
    _register(connection, ((listed.switch, agent.agent) for agent in agents[:MOST_AGENTS]))
    said = {
        "switch": listed.switch,
        "at_us": listed.at_us,
        "day_us": US_PER_DAY,
        "agents": array_literal([agent.agent for agent in agents]),
        "statuses": array_literal([agent.status for agent in agents]),
        "states": array_literal([agent.state for agent in agents]),
    }
    connection.execute(_ADD_LISTED, said)
    if len(agents) <= MOST_AGENTS:
        connection.execute(_ADD_REMOVED, said)
    connection.execute(_END_GAPS, said)
