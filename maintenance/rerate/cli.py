"""The command `tollbook rerate`."""

import click

from maintenance.options import time_option
from maintenance.progress import progress_bar
from maintenance.rerate.run import RerateRequest, rerate_calls
from tollbook.command import begin_command
from tollbook.errors import UsageError
from tollbook.user import user_at_host

_END_OF_TIME = 2**62


@click.command()
@click.option("--account", "accounts", multiple=True, help="Calls of this account; may be given more than once.")
@click.option("--plan", help="Calls of the accounts that have, or had, this plan, or one that stands on it.")
@click.option("--since", help="Calls that started at or after this time, ISO 8601; UTC unless it has an offset.")
@click.option("--until", help="Calls that started before this time.")
@click.option("--unrated", is_flag=True, help="Only calls that have no price.")
@click.option("--reason", help="Why, for the history of prices.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def rerate(
    accounts: tuple[str, ...],
    plan: str | None,
    since: str | None,
    until: str | None,
    unrated: bool,
    reason: str | None,
    dry_run: bool,
) -> None:
    """Price calls again with today's rates, in PostgreSQL and in the archive; keeps the prices that they had.

    Safe to run again at any time: a call that has its right price is left alone.
    """
    if not (accounts or plan or since or until or unrated):
        raise UsageError("say which calls: --account, --plan, --since or --unrated (--since 1970-01-01: all of them)")
    settings = begin_command()
    values = {"account": ",".join(accounts), "plan": plan, "since": since, "until": until}
    options = " ".join([*(f"--{name} {value}" for name, value in values.items() if value), *["--unrated"] * unrated])
    request = RerateRequest(
        accounts=accounts,
        plan=plan,
        since=time_option(since) if since else 0,
        until=time_option(until) if until else _END_OF_TIME,
        unrated=unrated,
        by_whom=user_at_host(),
        reason=reason or f"tollbook rerate {options}",
        options=options,
    )
    with progress_bar("rating again") as progress:
        report = rerate_calls(settings, request, dry_run=dry_run, progress=progress)
    click.echo(str(report))
