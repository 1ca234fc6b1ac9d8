"""Whose an agent is: by the operator's rule, the domain of its name, its phone, or the calls that it handled.

A name says little: two accounts may each have an agent1. Nor does a call by itself: a phone of one account may call the
queue of another, and then the call is the caller's. So what the agent's own phone states counts more than its calls; of
calls only those from outside count, which are charged to whom they were for; and either counts only where it names one
account.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from tollbook.errors import UsageError
from tollbook.model.agents.change import LONGEST_AGENT
from tollbook.store.agents.removal import adding_to_agents
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.tariffs.tariffs import require_account

# `own_since` moves only when an agent passes from one account to another: what it did before is not the new one's.
SETTLE: Final = """
    UPDATE agent SET
        account_id = settled.account_id,
        account_by = settled.account_by,
        own_since = CASE WHEN agent.account_id IS NOT NULL AND settled.account_id IS DISTINCT FROM agent.account_id
            THEN (extract(epoch FROM now()) * 1000)::bigint ELSE agent.own_since END
    FROM (
        SELECT switch, agent, coalesce(ruled, domain_ruled, domain_account, phone, calls) AS account_id,
            CASE WHEN coalesce(ruled, domain_ruled) IS NOT NULL THEN 'operator'
                 WHEN domain_account IS NOT NULL THEN 'domain'
                 WHEN phone IS NOT NULL THEN 'phone'
                 WHEN calls IS NOT NULL THEN 'calls' END AS account_by
        FROM (
            SELECT known.switch, known.agent,
                (SELECT account_id FROM agent_rule WHERE agent_rule.agent = known.agent) AS ruled,
                (SELECT account_id FROM agent_rule WHERE agent_rule.agent = '@' || known.domain) AS domain_ruled,
                (SELECT account_id FROM account WHERE account.account_id = known.domain) AS domain_account,
                (SELECT min(account_id) FROM agent_served AS seen
                    WHERE seen.switch = known.switch AND seen.agent = known.agent AND evidence = 'phone'
                    HAVING count(*) = 1) AS phone,
                (SELECT min(account_id) FROM agent_served AS seen
                    WHERE seen.switch = known.switch AND seen.agent = known.agent
                    HAVING count(*) = 1 AND count(*) FILTER (WHERE evidence = 'phone') = 0) AS calls
            FROM (
                SELECT switch, agent, nullif(substring(agent FROM '@([^@]*)$'), '') AS domain FROM agent
            ) AS known
        ) AS said
    ) AS settled
    WHERE settled.switch = agent.switch AND settled.agent = agent.agent
      AND (agent.account_id, agent.account_by) IS DISTINCT FROM (settled.account_id, settled.account_by)
"""
_ADD_SERVED: Final = """
    INSERT INTO agent_served AS known (switch, agent, evidence, account_id, last_ts)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        AS said(switch, agent, evidence, account_id, last_ts)
    WHERE EXISTS (SELECT FROM agent WHERE agent.switch = said.switch AND agent.agent = said.agent)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (switch, agent, evidence, account_id) DO UPDATE SET last_ts = greatest(known.last_ts, excluded.last_ts)
    RETURNING known.xmax = 0
"""


class Served(NamedTuple):
    """At `at_ms` (epoch ms) an agent was seen to work for an account.

    `evidence`: its phone's leg states the account, or it handled a call from outside that is the account's.
    """

    switch: str
    agent: str
    evidence: Literal["phone", "calls"]
    account_id: str
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRule:
    """The operator's word: `agent` is a name, or @domain for all agents of a domain."""

    agent: str
    account_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAgent:
    """An agent that a switch has named, the account that it belongs to, and what says so; None: nobody's."""

    switch: str
    agent: str
    account_id: str | None
    account_by: str | None


def note_served(connection: Connection, served: Collection[Served]) -> None:
    """Remember for whom agents worked; nothing of one that no switch has named. Raises StoreUnavailable, DataError."""
    newest: dict[tuple[str, str, str, str], int] = {}
    for switch, agent, evidence, account_id, at_ms in served:
        key = (switch, agent, evidence, account_id)
        newest[key] = max(at_ms, newest.get(key, 0))
    ordered = sorted(newest)
    columns = [array_literal(column) for column in zip(*ordered, strict=True)]
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        adding_to_agents(connection)
        added = connection.execute(_ADD_SERVED, (*columns, array_literal([newest[key] for key in ordered]))).fetchall()
        if any(is_new for (is_new,) in added):  # not what was known, each morning once more of every agent
            connection.execute(SETTLE)


def add_rules(connection: Connection, account_id: str, agents: Collection[str]) -> None:
    """Say that agents, or all of a @domain, are an account's. Raises UsageError for one that cannot be an agent's name.

    Or for an account that does not exist.
    """
    for agent in agents:
        if not 0 < len(agent.removeprefix("@")) < LONGEST_AGENT or not agent.isprintable():
            raise UsageError(f"{agent!r} is no agent: give a name as the switch has it, or @domain for a whole domain")
    with store_errors(), connection.transaction():
        require_account(connection, account_id)
        connection.execute(
            "INSERT INTO agent_rule (agent, account_id) SELECT DISTINCT unnest(%s::text[]), %s"
            " ON CONFLICT (agent) DO UPDATE SET account_id = excluded.account_id",
            (array_literal([*agents]), account_id),
        )
        connection.execute(SETTLE)


def remove_rules(connection: Connection, account_id: str, agents: Collection[str]) -> int:
    """Take back what `add_rules` said of an account's agents; return of how many."""
    with store_errors(), connection.transaction():
        removed = connection.execute(
            "DELETE FROM agent_rule WHERE account_id = %s AND agent = ANY (%s::text[])",
            (account_id, array_literal([*agents])),
        ).rowcount
        connection.execute(SETTLE)
    return removed


def list_rules(connection: Connection) -> list[AgentRule]:
    """List what the operator said of agents."""
    with store_errors():
        rows = connection.execute("SELECT agent, account_id FROM agent_rule ORDER BY agent").fetchall()
    return [AgentRule(agent=agent, account_id=account_id) for agent, account_id in rows]


def list_agents(connection: Connection) -> list[KnownAgent]:
    """List the agents that switches have named."""
    with store_errors():
        rows = connection.execute(
            "SELECT switch, agent, account_id, account_by FROM agent ORDER BY switch, agent"
        ).fetchall()
    return [KnownAgent(switch=row[0], agent=row[1], account_id=row[2], account_by=row[3]) for row in rows]
