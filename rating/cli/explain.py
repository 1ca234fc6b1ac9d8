"""The command `tollbook explain`."""

import json
import os
from contextlib import closing
from functools import partial
from typing import Final

import click
import msgspec
from rich.console import Console

from rating.cli.call_text import LONGEST_ID, escape, render_call
from rating.explain import explain_stored_call
from tollbook.config import Settings, load_settings
from tollbook.errors import UsageError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.presentation import Presentation
from tollbook.store.archive_commits import archive_begun
from tollbook.store.calls.detail import (
    FOR_EVER_MS,
    MAX_CALLS,
    KeptCall,
    complete_archived,
    find_calls,
    newest_first,
    read_legs,
)
from tollbook.store.database import check_schema, connect
from tollbook.store.row_security import snapshot
from tollbook.times import instant

# Wide enough for the sentences, narrow enough for a ticket.
_WIDTH_OF_A_FILE: Final = 100

# However much of an archive is not in its index of call ids yet: nobody else waits for it.
_SEARCH_S: Final = 3600.0


@click.command()
@click.argument("call_id")
@click.option(
    "--at", metavar="TIME", help="Of calls with this id, the newest that started by TIME: ISO 8601 (UTC) or ms."
)
@click.option("--account", metavar="ACCOUNT", help="Of this account alone.")
@click.option("--json", "as_json", is_flag=True, help="Print what GET /v1/calls/{id} answers.")
def explain(call_id: str, at: str | None, account: str | None, as_json: bool) -> None:
    """Explain the calls with the id CALL_ID, newest first: legs, columns, price. All times are UTC.

    A call that PostgreSQL no longer has comes from the archive; one of an id that was used again, with --at.
    """
    # Bytes that are not UTF-8 were stored as U+FFFD.
    wanted = os.fsencode(call_id).decode("utf-8", "replace")
    settings = load_settings()
    last_ts, limit = (FOR_EVER_MS, MAX_CALLS) if at is None else (_parse_at(at), 1)
    accounts = EveryAccount() if account is None else OneAccount(account)
    stored = _find(settings, wanted, accounts, last_ts, limit)
    if not stored:
        when = "" if at is None else f" that started by {escape(at)}"
        whose = "" if account is None else f" of account {escape(account)}"
        raise UsageError(f"no call{whose} here has the id {escape(wanted, LONGEST_ID)}{when}")
    calls = [explain_stored_call(call, settings.trunk_rules) for call in stored]
    if as_json:
        shown = Presentation(hides_carriers=False, whole_paths=True, recordings=settings.recording_paths)
        # ASCII alone, because a terminal obeys some characters beyond it.
        answer = msgspec.to_builtins({"ok": True, "calls": [call.to_dict(shown) for call in calls]})
        click.echo(json.dumps(answer, indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_A_FILE)
    for number, call in enumerate(calls):
        if number:
            console.print()
            console.rule(style="dim")
        console.print(render_call(call))


def _find(settings: Settings, call_id: str, accounts: Accounts, last_ts: int, limit: int) -> list[KeptCall]:
    """Find the calls in both tiers, newest first; raises StoreUnavailable, ArchiveError and others."""
    url = settings.require_database_url()
    with connect(url, name="explain") as connection:
        check_schema(connection)
        with snapshot(connection):
            found = find_calls(connection, call_id, accounts, last_ts=last_ts, limit=limit)
        if found.older is None:
            return found.calls
        # Here, because pyarrow and pyiceberg take a second to load, for which a call of today need not wait.
        from tollbook.archive.reader import Archive

        with closing(Archive(settings, partial(archive_begun, url))) as archive:
            records = archive.find_by_id(found.older, within_s=_SEARCH_S)
        with snapshot(connection):
            archived = complete_archived(connection, records.values(), read_legs(connection, records), accounts)
    return newest_first([*found.calls, *archived], limit)


def _parse_at(text: str) -> int:
    """Return the epoch ms that --at means. An ISO 8601 time without fractions of a second means the whole second."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        at_ms = instant(text)
    except ValueError:
        raise UsageError(f"--at {escape(text)}: write 2026-12-01T13:45:00, or epoch milliseconds") from None
    return at_ms if at_ms % 1000 else at_ms + 999
