"""The command `tollbook account`."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import click

from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.tariffs import accounts, tariffs
from tollbook.times import instant, written

_NONE = "none"  # what is typed for no plan, or no numbering plan


@contextmanager
def _database() -> Generator[Connection]:
    with connect(load_settings().require_database_url(), name="account") as connection:
        check_schema(connection)
        yield connection


@click.group()
def account() -> None:
    """Accounts: their plans by date, their numbering plans, and the numbers they own."""


@account.command("add")
@click.argument("account_id")
@click.option("--name", help="The customer's name. Default: the id.")
@click.option("--plan", help="The rate plan that prices its calls. Without one they are unrated.")
@click.option("--numbering", help="How it dials: US, DE, … Without one, numbers are taken as digits.")
def add(account_id: str, name: str | None, plan: str | None, numbering: str | None) -> None:
    """Add the account ACCOUNT_ID, as the switch's account code spells it."""
    new = tariffs.Account(account_id=account_id, name=name or account_id, plan_id=plan, numbering_id=numbering)
    with _database() as connection:
        tariffs.add_account(connection, new)
    click.echo(f"account {account_id} added")


@account.command("list")
def list_accounts() -> None:
    """List accounts with their plans of today, their numbering plans, and which are disabled."""
    with _database() as connection:
        for row in tariffs.accounts(connection):
            columns = [row.account_id, row.name, row.plan_id or "(no plan)", row.numbering_id or "(digits)"]
            click.echo("\t".join(columns + ["disabled"] * row.disabled))


@account.command("disable")
@click.argument("account_id")
def disable(account_id: str) -> None:
    """Refuse the API keys of ACCOUNT_ID from their next request on. Its calls are still recorded and priced."""
    with _database() as connection:
        accounts.set_disabled(connection, account_id, disabled=True)
    click.echo(f"account {account_id} is disabled: its keys are refused, its calls are still recorded and priced")


@account.command("enable")
@click.argument("account_id")
def enable(account_id: str) -> None:
    """Accept the API keys of ACCOUNT_ID again."""
    with _database() as connection:
        accounts.set_disabled(connection, account_id, disabled=False)
    click.echo(f"account {account_id} is enabled")


@account.command("plan")
@click.argument("account_id")
@click.argument("plan", required=False)
@click.option("--from", "begin", metavar="TIME", help="When it begins, ISO 8601 (UTC). Default: now.")
@click.option(
    "--to", "end", metavar="TIME", help="When the plan returns that was assigned for that time. Default: never."
)
def assign_plan(account_id: str, plan: str | None, begin: str | None, end: str | None) -> None:
    """Put ACCOUNT_ID on PLAN (none: no plan), and show its plans by date. The plan at its start prices a call."""
    now_ts = int(time.time() * 1000)
    from_ts, to_ts = _option("--from", begin), _option("--to", end)
    if from_ts is None:
        from_ts = now_ts
    if plan is None and (begin or end):
        raise UsageError("--from and --to need a PLAN")
    if from_ts < 0 or (to_ts is not None and to_ts <= from_ts):
        raise UsageError("--to must come after --from, and both after 1970")
    with _database() as connection:
        if plan is not None:
            accounts.assign(connection, account_id, None if plan == _NONE else plan, from_ts=from_ts, to_ts=to_ts)
        with connection.transaction():
            tariffs.require_account(connection, account_id)
            for assignment in tariffs.assignments(connection, account_id):
                begun = "always" if assignment.from_ts == 0 else written(assignment.from_ts)
                click.echo(f"from {begun}\t{assignment.plan_id or '(no plan)'}")


@account.command("numbering")
@click.argument("account_id", required=False)
@click.argument("numbering", required=False)
def set_numbering(account_id: str | None, numbering: str | None) -> None:
    """Set how ACCOUNT_ID dials (none: numbers are taken as digits). Without arguments: list the numbering plans."""
    with _database() as connection:
        if account_id is None:
            for row in tariffs.numberings(connection):
                click.echo(f"{row.numbering_id}\t{row.name}")
        elif numbering is None:
            raise UsageError("name a numbering plan, or none: tollbook account numbering ACCOUNT_ID NUMBERING")
        else:
            accounts.set_numbering(connection, account_id, None if numbering == _NONE else numbering)
            click.echo(f"account {account_id}: numbering {numbering}")


@account.group("number")
def number() -> None:
    """The numbers that accounts own. They name the account of a call without an account code."""


@number.command("add")
@click.argument("account_id")
@click.argument("numbers", nargs=-1, required=True)
def add_numbers(account_id: str, numbers: tuple[str, ...]) -> None:
    """Add NUMBERS, as callers dial them, to those that ACCOUNT_ID owns."""
    with _database() as connection:
        added = tariffs.add_numbers(connection, account_id, numbers)
    click.echo(f"{added} numbers belong to {account_id}")


@number.command("remove")
@click.argument("account_id")
@click.argument("numbers", nargs=-1, required=True)
def remove_numbers(account_id: str, numbers: tuple[str, ...]) -> None:
    """Take NUMBERS from those that ACCOUNT_ID owns. Calls that were recorded keep their account."""
    with _database() as connection:
        removed = tariffs.remove_numbers(connection, account_id, numbers)
    click.echo(f"{removed} numbers no longer belong to {account_id}")


@number.command("list")
def list_numbers() -> None:
    """List all numbers with the accounts that own them."""
    with _database() as connection:
        for owned, owner in sorted(tariffs.number_owners(connection).items()):
            click.echo(f"{owned}\t{owner}")


def _option(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else instant(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
