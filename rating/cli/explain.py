"""The command `tollbook explain`."""

import json
import os
from typing import Final

import click
import msgspec
from rich.console import Console

from rating.cli.call_text import LONGEST_ID, escape, render_call
from rating.explain import explain_stored_call
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.model.accounts import EveryAccount
from tollbook.store.calls.detail import FOR_EVER_MS, find_calls
from tollbook.store.database import check_schema, connect
from tollbook.store.row_security import snapshot
from tollbook.times import instant

# Wide enough for the sentences, narrow enough for a ticket.
_WIDTH_OF_A_FILE: Final = 100


@click.command()
@click.argument("call_id")
@click.option(
    "--at", metavar="TIME", help="Of calls with this id, the newest that started by TIME: ISO 8601 (UTC) or ms."
)
@click.option("--json", "as_json", is_flag=True, help="Print what GET /v1/calls/{id} answers.")
def explain(call_id: str, at: str | None, as_json: bool) -> None:
    """Explain the calls with the id CALL_ID, newest first: legs, columns, price. All times are UTC."""
    # Bytes that are not UTF-8 were stored as U+FFFD.
    wanted = os.fsencode(call_id).decode("utf-8", "replace")
    settings = load_settings()
    last_ts = FOR_EVER_MS if at is None else _parse_at(at)
    with connect(settings.require_database_url(), name="explain") as connection:
        check_schema(connection)
        with snapshot(connection):
            if at is None:
                stored = find_calls(connection, wanted, EveryAccount())
            else:
                stored = find_calls(connection, wanted, EveryAccount(), last_ts=last_ts, limit=1)
    if not stored:
        when = "" if at is None else f" that started by {escape(at)}"
        raise UsageError(f"no call here has the id {escape(wanted, LONGEST_ID)}{when}")
    calls = [explain_stored_call(call, settings.trunk_rules) for call in stored]
    if as_json:
        # ASCII alone, because a terminal obeys some characters beyond it.
        answer = msgspec.to_builtins({"ok": True, "calls": [call.to_dict() for call in calls]})
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


def _parse_at(text: str) -> int:
    """Return the epoch ms that --at means. An ISO 8601 time without fractions of a second means the whole second."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        at_ms = instant(text)
    except ValueError:
        raise UsageError(f"--at {escape(text)}: write 2026-12-01T13:45:00, or epoch milliseconds") from None
    return at_ms if at_ms % 1000 else at_ms + 999
