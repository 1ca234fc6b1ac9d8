"""What PostgreSQL has of agents that are erased."""

from dataclasses import dataclass
from typing import Final

from tollbook.store.agents.accounts import SETTLE
from tollbook.store.agents.removal import removing_agents
from tollbook.store.database import Connection, store_errors

_OF_AGENT: Final = """
    (%(account)s::text IS NULL OR account_id = %(account)s) AND (%(switch)s::text IS NULL OR switch = %(switch)s)
    AND (%(agent)s::text IS NULL OR agent = %(agent)s)
"""
_DAYS: Final = f"DELETE FROM agent_day WHERE {_OF_AGENT}"  # noqa: S608 - literals alone
_SOME_STATES: Final = f"""
    DELETE FROM agent_state WHERE ctid = ANY (ARRAY(
        SELECT said.ctid FROM agent_state AS said JOIN (SELECT switch, agent FROM agent WHERE {_OF_AGENT}) AS erased
            USING (switch, agent)
        LIMIT %(most)s
    ))
"""  # noqa: S608 - literals alone
_REMOVED_AT_ONCE: Final = 20_000
# The agents at last: by them the rest is found. Of a rule no switch is known.
_THE_REST: Final = (
    f"""
    DELETE FROM agent_state AS said USING (SELECT switch, agent FROM agent WHERE {_OF_AGENT}) AS erased
    WHERE said.switch = erased.switch AND said.agent = erased.agent
    """,  # noqa: S608 - literals alone
    f"""
    DELETE FROM agent_served AS said USING (SELECT switch, agent FROM agent WHERE {_OF_AGENT}) AS erased
    WHERE said.switch = erased.switch AND said.agent = erased.agent
    """,  # noqa: S608 - literals alone
    f"DELETE FROM agent_served WHERE {_OF_AGENT}",  # noqa: S608 - literals alone
    """
    DELETE FROM agent_rule
    WHERE (%(account)s::text IS NULL OR account_id = %(account)s) AND (%(agent)s::text IS NULL OR agent = %(agent)s)
      AND %(switch)s::text IS NULL
    """,
    f"DELETE FROM agent WHERE {_OF_AGENT}",  # noqa: S608 - literals alone
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentScope:
    """Whom to erase: all agents of an account, or those of a name, perhaps of one switch alone.

    `nobodys`: only the days on which they were nobody's.
    """

    account_id: str | None = None
    agent: str | None = None
    switch: str | None = None
    nobodys: bool = False

    def __post_init__(self) -> None:
        """Refuse to mean everybody."""
        assert self.account_id is not None or self.agent is not None

    @property
    def parameters(self) -> dict[str, str | None]:
        """The parameters of the statements."""
        return {"account": self.account_id, "agent": self.agent, "switch": self.switch}


def accounts_of(connection: Connection, scope: AgentScope) -> set[str | None]:
    """Return the accounts that the agents are or were of."""
    with store_errors():
        rows = connection.execute(
            f"SELECT account_id FROM agent WHERE {_OF_AGENT} UNION SELECT account_id FROM agent_day WHERE {_OF_AGENT}",  # noqa: S608 - literals alone
            scope.parameters,
        )
        return {account_id for (account_id,) in rows}


def agents_without_account(connection: Connection, account_id: str) -> list[AgentScope]:
    """Return the days of the account's agents on which they were nobody's, as what to erase."""
    with store_errors():
        rows = connection.execute(
            "SELECT DISTINCT switch, agent FROM agent JOIN agent_day AS of_day USING (switch, agent)"
            " WHERE agent.account_id = %s AND of_day.account_id IS NULL ORDER BY switch, agent",
            (account_id,),
        ).fetchall()
    return [AgentScope(switch=switch, agent=agent, nobodys=True) for switch, agent in rows]


def remove_nobodys_days(connection: Connection, scope: AgentScope) -> None:
    """Remove what the days came to on which an agent was nobody's; raises StoreUnavailable."""
    with store_errors():
        connection.execute(
            "DELETE FROM agent_day WHERE switch = %s AND agent = %s AND account_id IS NULL", (scope.switch, scope.agent)
        )


def remove_agents(connection: Connection, scope: AgentScope) -> int:
    """Remove agents, with all that was said of them and all that their days came to; return how many rows.

    Most of it is removed before listeners wait for it. Call in autocommit; raises StoreUnavailable.
    """
    with store_errors():
        rows = connection.execute(_DAYS, scope.parameters).rowcount
        parameters = scope.parameters | {"most": _REMOVED_AT_ONCE}
        while removed := connection.execute(_SOME_STATES, parameters).rowcount:
            rows += removed
    with removing_agents(connection):
        rows += sum(connection.execute(statement, scope.parameters).rowcount for statement in _THE_REST)
        connection.execute(SETTLE)  # of others, too, what they did for an erased account is gone
    return rows


def drop_days(connection: Connection, before_day: int) -> int:
    """Drop what days before one came to, but of accounts under a hold; return how many rows."""
    with store_errors():
        return connection.execute(
            "DELETE FROM agent_day WHERE day < %s AND NOT EXISTS (SELECT FROM account_hold AS hold"
            " WHERE hold.account_id = agent_day.account_id AND hold.released_at IS NULL)",
            (before_day,),
        ).rowcount
