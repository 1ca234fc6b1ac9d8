"""What a demo prints: a line for each call that has ended. Names and numbers are callers' text, so none is markup."""

import datetime as dt
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tollbook.log import printable
from tollbook.model.money import format_amount

_COLOURS = {"answered": "green", "lost": "red", "failed": "red", "abandoned": "magenta"}
_ARROWS = {"inbound": "←", "outbound": "→", "internal": "↔"}


def call_line(row: dict[str, Any]) -> Text:
    """Return the line of a call that has ended."""
    began = dt.datetime.fromtimestamp(row["start_ts"] / 1000, dt.UTC).astimezone()
    line = Text(f"{began:%H:%M:%S}  ", style="dim")
    line.append(f"{_ARROWS[row['direction']]} {row['direction']:<9}", style="cyan")
    line.append(f"{_short(row['from_num'], 15):>15} → {_short(row['to_num'], 15):<15} ")
    line.append(f"{row['disposition']:<10}", style=_COLOURS.get(row["disposition"], "yellow"))
    line.append(f"{row['billsec']:>4} s  ")
    cost = row["cost_micros"]
    line.append(f"{'unrated' if cost is None else format_amount(cost):>10}  ", style="bold")
    line.append(_short(row["account_id"] or "no account", 12), style="" if row["account_id"] else "dim")
    if row["queue_id"]:
        line.append(f"  queue {_short(row['queue_id'], 20)}", style="dim")
    if row["agent_id"]:
        line.append(f"  agent {_short(row['agent_id'], 20)}", style="dim")
    return line


def _short(text: str, width: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def welcome(
    console: Console, *, switch: str, url: str, key: str, operator_key: str, settings: Mapping[str, str]
) -> None:
    """Print what runs, and commands to paste: `settings` lead the `tollbook` command to it."""
    table = Table.grid(padding=(0, 2))
    table.add_row("switch", switch)
    table.add_row("dashboard", f"{url}/  (asks for one of the keys)")
    table.add_row("API", f"{url}/v1/calls")
    table.add_row("API key", key)
    table.add_row("operator's key", operator_key)
    console.print(
        Panel(table, title="Tollbook demo", subtitle="Ctrl-C ends it and leaves nothing behind", expand=False)
    )
    console.print("Paste these in another terminal:\n", style="dim")
    # soft_wrap: a line that is wrapped cannot be pasted.
    console.print(f"curl -H 'x-api-key: {key}' '{url}/v1/calls?limit=5&format=csv'", soft_wrap=True, highlight=False)
    console.print(f"curl -H 'x-api-key: {key}' '{url}/v1/agents'", soft_wrap=True, highlight=False)
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
    command = shlex.quote(str(Path(sys.executable).with_name("tollbook")))
    console.print(f"export {given}; {command} doctor\n", soft_wrap=True, highlight=False)
