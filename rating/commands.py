"""The commands `tollbook account` and `tollbook rates`."""

import re
from pathlib import Path

import click

from rating.deckfile import read_deck
from tollbook.config import load_settings
from tollbook.errors import DataError, UsageError
from tollbook.store import tariffs
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.deck_import import replace_rates


def _database() -> Connection:
    connection = connect(load_settings().require_database_url(), name="rates")
    check_schema(connection)
    return connection


@click.group()
def account() -> None:
    """Add and list accounts, and the numbers they own."""


@account.command("add")
@click.argument("account_id")
@click.option("--name", help="The customer's name; the id without it.")
@click.option("--plan", help="The rate plan that prices its calls; without one they are unrated.")
def add(account_id: str, name: str | None, plan: str | None) -> None:
    """Add the account ACCOUNT_ID, as the switch's account code spells it."""
    with _database() as connection:
        tariffs.add_account(connection, tariffs.Account(account_id=account_id, name=name or account_id, plan_id=plan))
    click.echo(f"account {account_id} added")


@account.command("list")
def list_accounts() -> None:
    """List accounts with their plans."""
    with _database() as connection:
        for one in tariffs.accounts(connection):
            click.echo(f"{one.account_id}\t{one.name}\t{one.plan_id or '(no plan)'}")


@account.group("number")
def number() -> None:
    """The numbers an account owns: they name the account of a call that carries no account code."""


@number.command("add")
@click.argument("account_id")
@click.argument("numbers", nargs=-1, required=True)
def add_numbers(account_id: str, numbers: tuple[str, ...]) -> None:
    """Give NUMBERS, as callers dial them, to the account ACCOUNT_ID."""
    with _database() as connection:
        tariffs.add_numbers(connection, account_id, numbers)
    click.echo(f"{len(numbers)} numbers belong to {account_id}")


@number.command("list")
def list_numbers() -> None:
    """List all numbers with the accounts that own them."""
    with _database() as connection:
        for one, owner in sorted(tariffs.number_owners(connection).items()):
            click.echo(f"{one}\t{owner}")


@click.group()
def rates() -> None:
    """Import rates."""


@rates.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--plan", required=True, help="The plan whose rates the file replaces; made when it is new.")
@click.option("--currency", help="Three letters, ISO 4217. Without it a new plan is in USD, an old one keeps its own.")
@click.option("--dry-run", is_flag=True, help="Check the file and change nothing.")
def import_rates(file: Path, plan: str, currency: str | None, dry_run: bool) -> None:
    """Replace the rates of a plan by those of FILE, all or nothing."""
    if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
        raise UsageError(f"--currency {currency}: write three capital letters, for instance USD")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = read_deck(lines)
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text: save it as CSV UTF-8") from error
    if dry_run:
        click.echo(f"{len(rows)} rates are right; nothing was changed")
        return
    with _database() as connection:
        replace_rates(connection, plan, currency, (row.values() for row in rows))
    click.echo(f"{len(rows)} rates imported into plan {plan}")
