"""The command `tollbook rates`."""

import re
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from rating.cli.import_report import report
from rating.deck_csv import parse_deck, write_deck
from rating.explain import explain_pricing
from rating.loader import load_tariffs
from tollbook.config import load_settings
from tollbook.errors import DataError, UsageError
from tollbook.model.charge import Charge
from tollbook.model.money import format_amount
from tollbook.model.vocabulary import DIRECTIONS, Direction
from tollbook.store.database import Connection, check_schema, connect, store_errors
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.deck_staging import StagedRate
from tollbook.times import instant, written

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextmanager
def _database() -> Generator[Connection]:
    with connect(load_settings().require_database_url(), name="rates") as connection:
        check_schema(connection)
        yield connection


@click.group()
def rates() -> None:
    """Rate plans: import and export their rates, and explain a price."""


@rates.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--plan", required=True, help="The plan whose rates the file replaces. A new one is made.")
@click.option("--base", help="The plan that prices what this one has no rate for. none: no other.")
@click.option("--currency", help="Three letters, ISO 4217. Default of a new plan: its base's, else USD.")
@click.option("--update", is_flag=True, help="FILE is a change notice: only its prefixes change, from their dates on.")
@click.option("--dry-run", is_flag=True, help="Check the file and print what would change. Changes nothing.")
def import_rates(
    files: tuple[Path, ...], plan: str, base: str | None, currency: str | None, update: bool, dry_run: bool
) -> None:
    """Replace all rates of a plan by those of FILE, or of several FILEs that are one deck."""
    if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
        raise UsageError(f"--currency {currency}: write three capital letters, for instance USD")
    console = Console(stderr=True)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with _database() as connection, progress:
        done = replace_rates(
            connection,
            plan,
            currency,
            _rows(files, progress),
            base="" if base == "none" else base,
            source=" ".join(file.name for file in files),
            update=update,
            dry_run=dry_run,
        )
    click.echo(report(done, update=update, dry_run=dry_run))


@rates.command("export")
@click.option("--plan", required=True, help="The plan whose own rates are written, without its base's.")
def export(plan: str) -> None:
    """Write a plan's rates of today as CSV that `rates import` takes."""
    with _database() as connection, store_errors():
        tariffs.require_plan(connection, plan)
        write_deck(sys.stdout, tariffs.rates(connection, plan, ordered=True))


@rates.command("list")
def list_plans() -> None:
    """List plans: currency, version and base."""
    with _database() as connection, store_errors():
        for plan in tariffs.plans(connection):
            base = f"\tbase {plan.base_plan_id}" if plan.base_plan_id else ""
            click.echo(f"{plan.plan_id}\t{plan.currency}\tversion {plan.version}{base}")


@rates.command("explain")
@click.argument("number")
@click.option("--account", required=True, help="The account that calls.")
@click.option("--at", metavar="TIME", help="When the call starts, ISO 8601 (UTC). Default: now.")
@click.option(
    "--seconds", type=click.IntRange(0, 10**9), default=60, show_default=True, help="How many seconds are charged."
)
@click.option("--direction", type=click.Choice(DIRECTIONS), default="outbound")
def explain_rate(number: str, account: str, at: str | None, seconds: int, direction: Direction) -> None:
    """Print what a call to NUMBER would cost, by which rate, and how that is computed."""
    try:
        at_ts = int(time.time() * 1000) if at is None else instant(at)
    except ValueError as error:
        raise UsageError(f"--at: {error}") from None
    with _database() as connection, store_errors():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        loaded = load_tariffs(connection)
    price = loaded.price_charges(account, at_ts, True, [Charge(direction=direction, number=number, seconds=seconds)])
    (charge,) = price.parts
    plan = loaded.accounts[account].plan_at(at_ts) if account in loaded.accounts else None
    click.echo(f"account {account}, {written(at_ts)}: {f'plan {plan.plan_id}' if plan else 'no plan'}")
    if charge.digits is not None:
        click.echo(f"{direction} {number} is compared as {charge.digits}")
    if price.unrated:
        click.echo(f"unrated: {price.unrated}")
        return
    rate = loaded.rate_of(account, at_ts, charge)
    if rate is not None:
        click.echo(f"rate {rate.name} of plan {rate.plan_id}, version {rate.version}")
    click.echo(explain_pricing(charge, rate)[1])
    click.echo(f"{format_amount(price.cost_micros)} {price.currency}")


def _rows(files: Iterable[Path], progress: Progress) -> Iterator[StagedRate]:
    """Yield the rates of the files, and show how far they have been read."""
    paths = tuple(files)

    def opened() -> Iterator[tuple[str, Iterable[str]]]:
        for path in paths:
            with progress.open(
                path, "rt", encoding="utf-8-sig", newline="", description=f"reading {path.name}"
            ) as lines:
                yield path.name if len(paths) > 1 else "", _decoded(path, lines)

    yield from parse_deck(opened())
    progress.add_task("comparing and exchanging", total=None)


def _decoded(path: Path, lines: Iterable[str]) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as CSV UTF-8") from error
