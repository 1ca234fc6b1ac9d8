"""The command `tollbook rerate`."""

import getpass
import socket
from decimal import Decimal

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from maintenance.options import time_option
from maintenance.rerate.report import RerateReport
from maintenance.rerate.run import rerate as run
from tollbook.config import Settings, load_settings
from tollbook.errors import UsageError
from tollbook.log import printable, setup
from tollbook.store.database import check_schema, connect
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.rerate import Scope, accounts_of

_ACCOUNTS_SHOWN = 20


@click.command()
@click.option("--account", "accounts", multiple=True, help="Calls of this account; may be given more than once.")
@click.option("--plan", help="Calls of the accounts that have, or had, this plan, or one that stands on it.")
@click.option("--since", help="Calls that started at or after this time, ISO 8601; UTC unless it says otherwise.")
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
    """Price calls again by the rates of today, in PostgreSQL and in the archive; keeps the prices that they had.

    Safe to run again at any time: a call that has its right price is left alone.
    """
    if not (accounts or plan or since or until or unrated):
        raise UsageError("say which calls: --account, --plan, --since or --unrated (--since 1970-01-01: all of them)")
    settings = load_settings()
    setup(settings.log_level)
    options = {"account": ",".join(accounts), "plan": plan, "since": since, "until": until}
    told = " ".join([*(f"--{name} {value}" for name, value in options.items() if value), *["--unrated"] * unrated])
    wanted = Scope(
        accounts=_accounts(settings, accounts, plan),
        since=time_option(since) if since else 0,
        until=time_option(until) if until else 2**62,
        unrated=unrated,
    )
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rating again")
        totals = run(
            settings,
            wanted,
            by_whom=f"{getpass.getuser()}@{socket.gethostname()}",
            reason=reason or f"tollbook rerate {told}",
            told=told,
            dry_run=dry_run,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _print(totals, dry_run=dry_run)


def _accounts(settings: Settings, named: tuple[str, ...], plan: str | None) -> tuple[str, ...] | None:
    """Give the accounts of the options, None for all; raises UsageError for an account or a plan that is not there."""
    if not named and plan is None:
        return None
    with connect(settings.require_database_url(), name="rerate", autocommit=True) as connection:
        check_schema(connection)
        known = {one.account_id for one in tariffs.accounts(connection)}
        for account in named:
            if account not in known:
                raise UsageError(f"there is no account {account!r}: `tollbook account list` shows them")
        found = set(named) or known
        if plan is not None:
            found &= accounts_of(connection, plan)
    return tuple(sorted(found))


def _print(totals: RerateReport, *, dry_run: bool) -> None:
    verb = "would change" if dry_run else "changed"
    click.echo(f"{totals.looked_at} answered calls looked at, {totals.changed} {verb}")
    if totals.rated or totals.unrated:
        click.echo(f"now rated: {totals.rated}; no longer rated: {totals.unrated}")
    if totals.money:
        click.echo(f"{'currency':<10}{'calls':>10}{'before':>20}{'after':>20}{'difference':>20}")
    for currency, money in sorted(totals.money.items()):
        amounts = (money.before_micros, money.after_micros, money.after_micros - money.before_micros)
        click.echo(f"{currency:<10}{money.calls:>10}" + "".join(f"{amount(one):>20}" for one in amounts))
    for account, calls in totals.accounts.most_common(_ACCOUNTS_SHOWN):
        click.echo(f"  account {printable(account)}: {calls} calls")
    if len(totals.accounts) > _ACCOUNTS_SHOWN:
        click.echo(f"  and {len(totals.accounts) - _ACCOUNTS_SHOWN} more accounts")
    if totals.archived:
        later = "would be" if dry_run else "are"
        click.echo(f"{totals.archived} of them {later} corrected in the archive by the next `tollbook archive run`")
    if dry_run:
        click.echo("nothing was changed")


def amount(micros: int) -> str:
    """Write micros as units of a currency, all six places."""
    return f"{Decimal(micros).scaleb(-6):,.6f}"
