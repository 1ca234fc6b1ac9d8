"""The command `tollbook account agent`: whose the agents of the switches' queues are."""

import click

from maintenance.confirm import confirm
from tollbook.command import begin_command
from tollbook.config import load_settings
from tollbook.log import one_line
from tollbook.store.agents import accounts
from tollbook.store.agents.erase import AgentScope
from tollbook.store.database import check_schema, connect


@click.group("agent")
def agent() -> None:
    """The agents of mod_callcenter that are an account's, where their names and phones do not say it."""


@agent.command("add")
@click.argument("account_id")
@click.argument("agents", nargs=-1, required=True)
def add_agents(account_id: str, agents: tuple[str, ...]) -> None:
    """Say that AGENTS are ACCOUNT_ID's: names as the switch has them, or @domain for all agents of a domain."""
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        accounts.add_rules(connection, account_id, agents)
    click.echo(f"{len({*agents})} agents or domains belong to {account_id}")


@agent.command("remove")
@click.argument("account_id")
@click.argument("agents", nargs=-1, required=True)
def remove_agents(account_id: str, agents: tuple[str, ...]) -> None:
    """Take back what was said of AGENTS of ACCOUNT_ID. Their names, phones and calls decide again."""
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        removed = accounts.remove_rules(connection, account_id, agents)
    click.echo(f"{removed} agents or domains are no longer said to be {account_id}'s")


@agent.command("erase")
@click.argument("agent_name", metavar="AGENT")
@click.option("--switch", help="Of this switch alone. Default: of every switch.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_agents(agent_name: str, switch: str | None, yes: bool) -> None:
    """Erase all that is known of AGENT's time, from PostgreSQL and the archive. Calls keep the name of their agent.

    Remove the agent from the switch first: whom it still has is heard of again. Safe to kill, and to run again.
    """
    # Here, because pyarrow and pyiceberg take a second to load, for which `account add` need not wait.
    from maintenance.agents.erase import erase_agent

    settings = begin_command()
    if not yes:
        confirm(agent_name)
    erased = erase_agent(settings, AgentScope(agent=agent_name, switch=switch))
    click.echo(f"agent {one_line(agent_name)} is erased: {erased} rows of PostgreSQL, and whatever the archive had")


@agent.command("list")
def list_agents() -> None:
    """List all agents that switches have named, whose they are, and what says so; then what `add` said."""
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        for owned in accounts.list_agents(connection):
            whose = [owned.account_id, owned.account_by] if owned.account_id else ["(nobody's)"]
            click.echo("\t".join(one_line(part or "") for part in (owned.switch, owned.agent, *whose)))
        for rule in accounts.list_rules(connection):
            click.echo(f"said\t{one_line(rule.agent)}\t{rule.account_id}")
