"""The commands `tollbook serve` and `tollbook key`."""

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import ip_network

import click

from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.log import setup
from tollbook.store import keys
from tollbook.store.database import Connection, check_schema, connect


@click.command()
def serve() -> None:
    """Serve the API on TOLLBOOK_API_BIND, until SIGTERM."""
    # Here, because the commands below start faster without Flask and waitress.
    from export_app.server.process import serve as run

    settings = load_settings()
    setup(settings.log_level)
    run(settings)


@click.group()
def key() -> None:
    """Create, list and revoke API keys."""


@key.command()
@click.option("--account", help="The account whose calls the key can read.")
@click.option("--operator", is_flag=True, help="The key can read all calls, also those without an account.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(["cdr"]), help="What the key may do. Default: cdr.")
@click.option(
    "--ip",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="A network that the key works from: 192.0.2.0/24. Can be repeated.",
)
def create(account: str | None, operator: bool, scopes: tuple[str, ...], networks: tuple[str, ...]) -> None:
    """Create a key and print it. It is shown only this once."""
    if operator == (account is not None):
        raise UsageError("say whose key it is: either --account ACCOUNT or --operator")
    if operator and scopes:
        raise UsageError("--operator includes every scope: leave --scope out")
    wanted = ("operator",) if operator else tuple(dict.fromkeys(scopes)) or ("cdr",)
    allowed = [_network(text) for text in networks] or None
    with _connection() as connection:
        created, secret = keys.create(connection, account_id=account, scopes=wanted, networks=allowed)
    click.echo(secret)
    # On standard error, so that `KEY=$(tollbook key create …)` gets the key alone.
    click.echo(f"key {created.key_id}; it cannot be shown again", err=True)


@key.command("list")
def list_keys() -> None:
    """List all keys: number, first characters, account, scopes, created, last used, revoked (UTC), networks."""
    with _connection() as connection:
        found = keys.every(connection)
    click.echo("\t".join(("key", "begins", "account", "scopes", "created", "last used", "revoked", "networks")))
    for listed in found:
        owner = (str(listed.key_id), listed.hint, listed.account_id or "*", ",".join(listed.scopes))
        times = map(_time, (listed.created_at, listed.last_used_at, listed.revoked_at))
        click.echo("\t".join((*owner, *times, ",".join(map(str, listed.networks or ("*",))))))


@key.command()
@click.argument("key_id", metavar="KEY", type=int)
def revoke(key_id: int) -> None:
    """Revoke the key with the number KEY in `tollbook key list`. Its next request is refused."""
    with _connection() as connection:
        revoked = keys.revoke(connection, key_id)
    click.echo(f"key {revoked.key_id} ({revoked.hint}…) is revoked")


@contextmanager
def _connection() -> Generator[Connection]:
    with connect(load_settings().require_database_url(), name="key", autocommit=True) as connection:
        check_schema(connection)
        yield connection


def _network(text: str) -> keys.Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"--ip {text} is not a network: {error}; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        ) from error


def _time(when: dt.datetime | None) -> str:
    return "-" if when is None else f"{when:%Y-%m-%dT%H:%M:%SZ}"
