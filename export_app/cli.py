"""The commands `tollbook serve` and `tollbook key`."""

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Final

import click

from tollbook.command import begin_command
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.model.scopes import ACCOUNT_SCOPES, CDR, EVERYTHING, OPERATOR
from tollbook.store import keys
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.key_log import read_log
from tollbook.times import SECONDS_PER_DAY
from tollbook.user import user_at_host

#: The most lines of `tollbook key log`: the uses of a hundred keys in three months.
LOG_LIMIT: Final = 10_000
_DAYS: Final = click.option(
    "--days", type=click.IntRange(1, 3660), help="After how many days the new key expires. Default: never, or as KEY."
)


@click.command()
def serve() -> None:
    """Serve the API on TOLLBOOK_API_BIND, until SIGTERM."""
    # Here, because the commands below start faster without Flask and waitress.
    from export_app.server.process import serve as run

    settings = begin_command()
    run(settings)


@click.group()
def key() -> None:
    """Create, list, rotate and revoke API keys."""


@key.command()
@click.option("--account", help="The account whose calls the key can read.")
@click.option("--operator", is_flag=True, help="The key can read all calls, also those without an account.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice((*ACCOUNT_SCOPES, EVERYTHING)),
    help="What the key may do; '*': all of the account. Can be repeated. Default: cdr.",
)
@click.option(
    "--ip",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="A network that the key works from: 192.0.2.0/24. Can be repeated.",
)
@_DAYS
def create(
    account: str | None, operator: bool, scopes: tuple[str, ...], networks: tuple[str, ...], days: int | None
) -> None:
    """Create a key and print it. It is shown only this once."""
    if operator == (account is not None):
        raise UsageError("say whose key it is: either --account ACCOUNT or --operator")
    if operator and scopes:
        raise UsageError("--operator includes every scope: leave --scope out")
    wanted = (OPERATOR,) if operator else (EVERYTHING,) if EVERYTHING in scopes else tuple(dict.fromkeys(scopes))
    allowed = [_network(text) for text in networks] or None
    with _connection() as connection:
        created, secret = keys.create(
            connection,
            account_id=account,
            scopes=wanted or (CDR,),
            networks=allowed,
            valid_s=_seconds(days),
            by_whom=user_at_host(),
        )
    _show(created, secret)


@key.command()
@click.argument("key_id", metavar="KEY", type=int)
@click.option(
    "--overlap",
    type=click.IntRange(0, 366),
    default=7,
    show_default=True,
    help="For how many more days the key with the number KEY is valid.",
)
@_DAYS
def rotate(key_id: int, overlap: int, days: int | None) -> None:
    """Make a key that opens what the key with the number KEY opens, and let that one expire. Print the new key."""
    with _connection() as connection:
        old, new, secret = keys.rotate(
            connection,
            key_id,
            overlap_s=overlap * SECONDS_PER_DAY,
            valid_s=_seconds(days),
            by_whom=user_at_host(),
        )
    _show(new, secret)
    click.echo(
        f"key {old.key_id} ({old.hint}…) is valid until {_time(old.expires_at)}: use the new one by then", err=True
    )


@key.command()
@click.argument("key_id", metavar="[KEY]", type=int, required=False)
@click.option("--days", type=click.IntRange(1, 36_600), default=90, show_default=True, help="Of how many days.")
def log(key_id: int | None, days: int) -> None:
    """Show what was done with a key, or with all, newest first, and on which days each was used (UTC)."""
    with _connection() as connection:
        found = read_log(connection, key_id, days=days, limit=LOG_LIMIT)
    click.echo("\t".join(("time", "key", "begins", "account", "event", "by", "note")))
    for logged in found:
        owner = (str(logged.key_id), logged.hint, logged.account_id or "*")
        when = _time(logged.happened_at)
        click.echo("\t".join((when, *owner, logged.event, logged.by_whom or "-", logged.note or "-")))
    if len(found) == LOG_LIMIT:
        click.echo(f"there may be more than these {LOG_LIMIT}: name a KEY, or fewer --days", err=True)


@key.command("list")
def list_keys() -> None:
    """List all keys: number, first characters, account, scopes, times in UTC, networks, and when each expires."""
    with _connection() as connection:
        found = keys.every(connection)
    click.echo(
        "\t".join(("key", "begins", "account", "scopes", "created", "last used", "revoked", "networks", "expires"))
    )
    for listed in found:
        owner = (str(listed.key_id), listed.hint, listed.account_id or "*", ",".join(listed.scopes))
        times = map(_time, (listed.created_at, listed.last_used_at, listed.revoked_at))
        networks = ",".join(map(str, listed.networks or ("*",)))
        click.echo("\t".join((*owner, *times, networks, _time(listed.expires_at))))


@key.command()
@click.argument("key_id", metavar="KEY", type=int)
def revoke(key_id: int) -> None:
    """Revoke the key with the number KEY in `tollbook key list`. Its next request is refused."""
    with _connection() as connection:
        revoked = keys.revoke(connection, key_id, by_whom=user_at_host())
    click.echo(f"key {revoked.key_id} ({revoked.hint}…) is revoked")


@contextmanager
def _connection() -> Generator[Connection]:
    with connect(load_settings().require_database_url(), name="key", autocommit=True) as connection:
        check_schema(connection)
        yield connection


def _show(made: keys.ApiKey, secret: str) -> None:
    click.echo(secret)
    # On standard error, so that `KEY=$(tollbook key create …)` gets the key alone.
    until = "" if made.expires_at is None else f", and expires at {_time(made.expires_at)}"
    click.echo(f"key {made.key_id}; it cannot be shown again{until}", err=True)


def _seconds(days: int | None) -> int | None:
    return None if days is None else days * SECONDS_PER_DAY


def _network(text: str) -> keys.Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"--ip {text} is not a network: {error}; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        ) from error


def _time(when: dt.datetime | None) -> str:
    return "-" if when is None else f"{when:%Y-%m-%dT%H:%M:%SZ}"
