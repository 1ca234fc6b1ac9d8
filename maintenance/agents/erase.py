"""Erases agents, who are persons: from PostgreSQL, and from every file of the archive."""

from functools import reduce
from typing import Any

from pyiceberg.catalog import Catalog

from maintenance.agents.table import ensure_agent_table, forget_old_states, remove_rows
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive.agent_states import load_agent_states
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.errors import UsageError
from tollbook.store.agents.erase import (
    AgentScope,
    accounts_of,
    agents_without_account,
    remove_agents,
    remove_nobodys_days,
)
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.holds import refuse_held

_WAIT_S = 300.0


def erase_agent(settings: Settings, scope: AgentScope) -> int:
    """Erase one agent; return how many rows PostgreSQL had of it. It can be killed and done again.

    Raises UsageError if nobody has heard of it, AccountHeld, and what writing the archive raises.
    """
    url = settings.require_database_url()
    with (
        connect(url, name="erase", autocommit=True) as connection,
        sole_archiver(url, name="erase", wait_s=_WAIT_S) as check_alone,
        open_catalog(settings, writing=True) as catalog,
    ):
        check_schema(connection)
        refuse_held(connection, accounts_of(connection, scope))
        check_alone()
        archived = erase_archived(connection, catalog, scope)
        rows = remove_agents(connection, scope)
        if not rows and not archived:
            raise UsageError(f"no switch has named an agent {scope.agent!r}: `tollbook account agent list` lists them")
        return rows


def erase_agents_of(connection: Connection, catalog: Catalog, account_id: str) -> int:
    """Erase all agents of an account; return how many rows PostgreSQL had of them. Call as sole archiver."""
    scope = AgentScope(account_id=account_id)
    # On a day before its account was known, or on which it changed, an agent is nobody's: those days are its own, too.
    nobodys = agents_without_account(connection, account_id)
    erase_archived(connection, catalog, scope, *nobodys)
    for of_agent in nobodys:
        remove_nobodys_days(connection, of_agent)
    return remove_agents(connection, scope)


def erase_archived(connection: Connection, catalog: Catalog, *scopes: AgentScope) -> bool:
    """Erase agents from the archive, with every older state that has them; return whether it had any.

    Call as sole archiver. The archive first: what PostgreSQL still has leads a second try here.
    """
    if load_agent_states(catalog) is None:
        return False
    removed = remove_rows(ensure_agent_table(catalog, connection, removing=True), reduce(ex.Or, map(_matching, scopes)))
    forget_old_states(catalog)
    return removed


def _matching(scope: AgentScope) -> Any:
    named = {"account_id": scope.account_id, "switch": scope.switch, "agent": scope.agent}
    conditions = [ex.EqualTo(name, value) for name, value in named.items() if value is not None]
    if scope.nobodys:
        conditions.append(ex.IsNull("account_id"))
    return reduce(ex.And, conditions)
