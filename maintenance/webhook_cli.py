"""The command `tollbook webhook`: what an operator does with endpoints. Accounts make theirs by the API."""

import datetime as dt
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import click

from maintenance.options import time_option
from tollbook.config import load_settings
from tollbook.errors import Retryable, UsageError
from tollbook.log import one_line
from tollbook.model.endpoints import webhook_name, webhook_number
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.events import webhooks
from tollbook.store.events.turns import count_processes
from tollbook.user import user_at_host

# Endpoints that are listed at once.
_LISTED: Final = 1_000

# A delivery takes ten seconds at most, and waits for less than one.
_TEST_S: Final = 15.0


@click.group()
def webhook() -> None:
    """List, test, switch on and off the endpoints that are told of calls; tell them again."""


@webhook.command("list")
@click.option("--account", help="Of this account alone.")
def list_webhooks(account: str | None) -> None:
    """List the endpoints: state, counts, last error."""
    with _connection() as connection:
        found = webhooks.list_webhooks(connection, account_id=account, limit=_LISTED + 1)
        more, found = len(found) > _LISTED, found[:_LISTED]
        waiting = [webhooks.count_waiting(connection, listed.webhook_id) for listed in found]
    columns = ("id", "account", "url", "events", "state", "waiting", "delivered", "failed", "dead", "last error")
    click.echo("\t".join(columns))
    for listed, waits in zip(found, waiting, strict=True):
        state = "on" if listed.disabled_why is None else f"off: {listed.disabled_why}"
        if listed.disabled_why is None and listed.failing_since is not None:
            state = f"failing since {_time(listed.failing_since)}"
        url = listed.url if listed.kind == "webhook" else f"NATS {listed.url}"
        cells = (
            webhook_name(listed.webhook_id), listed.account_id or "*", url, ",".join(listed.events or ("*",)), state,
            str(waits), str(listed.delivered), str(listed.failed), str(listed.dead), listed.last_error or "-",
        )  # fmt: skip
        click.echo("\t".join(one_line(cell) for cell in cells))
    if more:
        click.echo(f"there are more; the first {_LISTED} are listed: --account NAME lists those of one", err=True)


@webhook.command()
@click.argument("webhook_id", metavar="ENDPOINT")
def test(webhook_id: str) -> None:
    """Send a test event to ENDPOINT, such as wh_17, and say what it answered."""
    with _connection() as connection:
        found = webhooks.find(connection, _number(webhook_id))
        if found.disabled_why is not None:
            raise UsageError(f"it is off ({found.disabled_why}): `tollbook webhook enable {webhook_id}` first")
        if not count_processes(connection):
            raise Retryable("no `tollbook deliver` is running: start tollbook-deliver.service")
        with connection.transaction():
            event_id = webhooks.note_test(connection, found)
        if event_id is None:
            raise Retryable("a test of it waits already: it failed before, and is tried again later")
        deadline_s = time.monotonic() + _TEST_S
        while True:
            done, error = webhooks.test_result(connection, event_id)
            if done or time.monotonic() > deadline_s:
                break
            time.sleep(0.1)
    if not done:
        raise Retryable(f"{event_id} waits: the endpoint failed before, and is tried again later")
    if error:
        raise Retryable(f"{event_id} was not taken: {error}")
    click.echo(f"{event_id} was delivered")


@webhook.command()
@click.argument("webhook_id", metavar="ENDPOINT")
@click.option("--since", required=True, help="From this time on, ISO 8601, in UTC unless it says otherwise.")
@click.option("--until", help="To this time. Default: now.")
def replay(webhook_id: str, since: str, until: str | None) -> None:
    """Tell ENDPOINT again of what happened from a time on, as far as events are kept (TOLLBOOK_EVENT_DAYS)."""
    since_ms = time_option(since)
    until_ms = time_option(until) if until is not None else time.time_ns() // 1_000_000 + 1
    if until_ms <= since_ms:
        raise UsageError("--until must be later than --since")
    with _connection() as connection:
        found = webhooks.find(connection, _number(webhook_id))
        told = webhooks.replay(connection, found, since_ms=since_ms, until_ms=until_ms)
    off = "" if found.disabled_why is None else f"; it is off: `tollbook webhook enable {webhook_id}` sends them"
    click.echo(f"{told} events wait for {webhook_name(found.webhook_id)}{off}")


@webhook.command()
@click.argument("webhook_id", metavar="ENDPOINT")
def enable(webhook_id: str) -> None:
    """Switch ENDPOINT on again: what waits for it is sent now. `replay` brings what happened while it was off."""
    with _connection() as connection:
        webhooks.enable(connection, _number(webhook_id))
    click.echo(f"{webhook_id} is on")


@webhook.command()
@click.argument("webhook_id", metavar="ENDPOINT", required=False)
@click.option("--all", "everything", is_flag=True, help="All endpoints: before a copy of a database delivers.")
def disable(webhook_id: str | None, everything: bool) -> None:
    """Switch ENDPOINT off: nothing is sent to it any more."""
    if everything == (webhook_id is not None):
        raise UsageError("say which: either ENDPOINT or --all")
    with _connection() as connection:
        numbers = (
            [found.webhook_id for found in webhooks.list_webhooks(connection, limit=1_000_000)]
            if webhook_id is None
            else [_number(webhook_id)]
        )
        for number in numbers:
            webhooks.disable(connection, number, f"switched off by {user_at_host()}")
            click.echo(f"{webhook_name(number)} is off")


@webhook.command()
@click.argument("webhook_id", metavar="ENDPOINT")
def delete(webhook_id: str) -> None:
    """Delete ENDPOINT, for an account that cannot."""
    with _connection() as connection:
        found = webhooks.find(connection, _number(webhook_id))
        if not webhooks.delete(connection, found.webhook_id, deleted_by=user_at_host()):
            raise UsageError(f"{webhook_id} is NATS's: leave TOLLBOOK_NATS out, and restart tollbook-deliver")
    click.echo(f"{webhook_id} is deleted")


@webhook.command("dead-letters")
@click.argument("webhook_id", metavar="[ENDPOINT]", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
def dead_letters(webhook_id: str | None, limit: int) -> None:
    """List deliveries that were given up after three days, the newest first; `replay` sends them again."""
    with _connection() as connection:
        found = webhooks.dead_letters(connection, None if webhook_id is None else _number(webhook_id), limit)
    click.echo("\t".join(("endpoint", "given up", "event id", "event", "revision", "call", "tries", "error")))
    for letter in found:
        cells = (
            webhook_name(letter.webhook_id), _time(letter.dead_at), letter.event_id, letter.event, str(letter.revision),
            letter.call_id or "-", str(letter.attempts), letter.error,
        )  # fmt: skip
        click.echo("\t".join(one_line(cell) for cell in cells))


@contextmanager
def _connection() -> Generator[Connection]:
    with connect(load_settings().require_database_url(), name="webhook", autocommit=True) as connection:
        check_schema(connection)
        yield connection


def _number(name: str) -> int:
    number = webhook_number(name)
    if number is None:
        raise UsageError(f"{name[:40]!r} is no endpoint: write wh_17, as `tollbook webhook list` shows it")
    return number


def _time(when: dt.datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
