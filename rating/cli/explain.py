"""The command `tollbook explain`. Callers choose names, numbers and ids, so nothing that is printed is markup."""

import datetime as dt
import json
import os

import click
import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rating.explain import ExplainedCall, ExplainedCharge, explain_stored_call
from rating.money import format_amount
from tollbook.config import load_settings
from tollbook.errors import UsageError
from tollbook.model.accounts import EveryAccount
from tollbook.model.explain.leg_view import LegView
from tollbook.model.record import COLUMNS
from tollbook.store.calls.detail import FOR_EVER_MS, PriceBefore, read
from tollbook.store.database import check_schema, connect
from tollbook.store.row_security import snapshot

_WIDTH = 100  # of a page that is not a terminal: wide enough for the rules, narrow enough for a ticket
_LONGEST_VALUE = 120  # of a text that a caller chose; --json gives it whole
_LONGEST_ID = 256
_KNOWN_FROM = {
    "cdr_file": "known from its CDR file",
    "look": "its creation was not heard: known from a look at the switch",
    "end": "its creation was not heard: known from its end",
    "answer": "only its answer was heard",
}
_ENDED_BY = {"cdr_file": "ended by its CDR file", "estimate": "its end is an estimate"}


@click.command()
@click.argument("call_id")
@click.option(
    "--at", metavar="TIME", help="Of calls with this id, the newest that started by TIME: ISO 8601 (UTC) or ms."
)
@click.option("--json", "as_json", is_flag=True, help="Print what GET /v1/calls/{id} answers.")
def explain(call_id: str, at: str | None, as_json: bool) -> None:
    """Explain the calls with the id CALL_ID, newest first: legs, columns, price. All times are UTC."""
    # Bytes that are no UTF-8 were stored as U+FFFD, as everywhere.
    wanted = os.fsencode(call_id).decode("utf-8", "replace")
    settings = load_settings()
    last_ts = FOR_EVER_MS if at is None else _instant(at)
    with connect(settings.require_database_url(), name="explain") as connection:
        check_schema(connection)
        with snapshot(connection):
            if at is None:
                kept = read(connection, wanted, EveryAccount())
            else:
                kept = read(connection, wanted, EveryAccount(), last_ts=last_ts, limit=1)
    if not kept:
        when = "" if at is None else f" that started by {shown(at)}"
        raise UsageError(f"no call here has the id {shown(wanted, _LONGEST_ID)}{when}")
    calls = [explain_stored_call(one, settings.trunk_rules) for one in kept]
    if as_json:
        # ASCII, for a terminal obeys some characters beyond it.
        answer = msgspec.to_builtins({"ok": True, "calls": [call.to_dict() for call in calls]})
        click.echo(json.dumps(answer, indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    for number, call in enumerate(calls):
        if number:
            console.print()
            console.rule(style="dim")
        console.print(page(call))


def shown(value: object, longest: int = _LONGEST_VALUE) -> str:
    """Make a text fit for a terminal: what cannot be printed, or turns the writing around, is escaped."""
    text = str(value)
    kept = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:longest])
    return kept if len(text) <= longest else f"{kept}…"


def page(call: ExplainedCall) -> RenderableType:
    """Lay out one call: what it was, its legs, why each column is what it is, its price."""
    parts: list[RenderableType] = [_head(call)]
    if call.explanation.note:
        parts.append(Text(f"Note: {shown(call.explanation.note, 400)}", style="yellow"))
    if call.explanation.legs:
        parts += [Text("\nLegs", style="bold"), *_trees(call.explanation.legs)]
    parts += [Text("\nColumns", style="bold"), _columns(call), Text("\nPrice", style="bold"), *_price(call)]
    return Group(*parts)


def _head(call: ExplainedCall) -> Text:
    row = call.row
    head = Text(f"{row.direction} call, {shown(row.from_num, 40)} → {shown(row.to_num, 40)}", style="bold")
    head.append(f"\n{shown(row.call_id, _LONGEST_ID)}\n", style="cyan")
    head.append(f"started {_time(row.start_ts)} UTC, ", style="dim")
    state = "up" if row.end_ts is None else f"{shown(row.disposition)}, revision {call.revision}"
    head.append(state + (", with an estimated end" if row.estimated else ""))
    head.append(f", switch {shown(row.switch, 40)}", style="dim")
    return head


def _trees(legs: tuple[LegView, ...]) -> list[Tree]:
    nodes: dict[int, Tree] = {}
    tops: list[Tree] = []
    # A parent may stand behind its child when both began in one microsecond: from the top down, then by number.
    for leg in sorted(legs, key=lambda one: (one.depth, one.leg)):
        node = Tree(_leg(leg), guide_style="dim")
        nodes[leg.leg] = node
        if leg.child_of is None:
            tops.append(node)
        else:
            nodes[leg.child_of].children.append(node)
    return tops


def _leg(leg: LegView) -> Text:
    told = Text(f"{leg.leg} ", style="bold")
    told.append("→ " if leg.direction == "outbound" else "← ", style="cyan")
    told.append(shown(leg.channel, 60) or "no channel name")
    told.append(f"  {shown(leg.caller_num, 30) or '-'} → {shown(leg.dialed_num, 30) or '-'}", style="bold")
    times = [f"created {_hour(leg.created_ts)}"]
    times.append(f"answered {_hour(leg.answered_ts)}" if leg.answered_ts else "not answered")
    if leg.hangup_ts:
        times.append(f"hung up {_hour(leg.hangup_ts)} {shown(leg.hangup_cause or '', 40)}".rstrip())
    else:
        times.append("still up")
    told.append(f"\n{' · '.join(times)}", style="default not bold")
    gateway = f" ({shown(leg.gateway, 40)})" if leg.gateway else ""
    place = f"off-net by {leg.off_net_rule}{gateway}" if leg.off_net else f"not off-net: {leg.off_net_rule}"
    told.append(f"\n{_place_in_tree(leg)} · {place}", style="dim not bold")
    doubts = [_KNOWN_FROM.get(leg.known_from), _ENDED_BY.get(leg.ended_by or "")]
    doubts += [f"recovered at {_hour(life)}" for life in leg.lives[1:]]
    if any(doubts):
        told.append(f"\n{' · '.join(filter(None, doubts))}", style="yellow not bold")
    return told


def _place_in_tree(leg: LegView) -> str:
    if leg.role == "root":
        return "the root"
    if leg.child_of is not None:
        return f"child of {leg.child_of} by {leg.named_by}"
    return f"child by {leg.named_by} of {shown(leg.parent_uid, 60)}, which was not heard"


def _columns(call: ExplainedCall) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold", style="dim")
    for name in COLUMNS:
        table.add_row(name, Text(_value(call, name)), Text(shown(call.explanation.rules[name], 400)))
    return table


def _value(call: ExplainedCall, column: str) -> str:
    if column == "call_id":
        return "as above"  # it heads the page, whole
    value = call.price.cost_micros if column == "cost_micros" else getattr(call.row, column)
    if value is None:
        return "-"
    return _time(value) if column.endswith("_ts") else shown(value)


def _price(call: ExplainedCall) -> list[RenderableType]:
    price = call.price
    told: list[RenderableType] = [_part(part) for part in price.parts]
    unit = f" {price.currency}" if price.currency and price.parts and price.cost_micros is not None else ""
    told.append(Text(f"{shown(price.total, 1000)}{unit}", style="bold"))
    return [*told, *(_former(one) for one in call.before)]


def _former(price: PriceBefore) -> Text:
    cost = (
        f"unrated: {shown(price.unrated, 400)}"
        if price.unrated
        else f"{format_amount(price.cost_micros)} {price.currency}"
    )
    told = Text(f"until {_time(price.replaced_ts)} UTC: {cost}")
    return told.append(f", replaced by {shown(price.by_whom, 80)}: {shown(price.reason, 400)}", style="dim")


def _part(part: ExplainedCharge) -> RenderableType:
    told = Text(f"{part.direction} to {shown(part.number, 40) or '-'}, {part.seconds} s", style="bold")
    told.append(f": {format_amount(part.cost_micros)}" + (f", rate {shown(part.rate, 60)}" if part.rate else ""))
    if part.plan:
        told.append(f" (plan {shown(part.plan, 40)}, version {part.version})")
    why = [Text(part.charged)] if part.charged else []
    if part.digits and part.digits != part.number:
        why.append(Text(f"{shown(part.number, 40)} is compared as {part.digits}", style="dim"))
    why.append(Text(shown(part.priced, 400), style="dim"))
    return Group(told, *(Padding(line, (0, 0, 0, 2)) for line in why))


def _time(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}.{rest:03}"


def _hour(ms: int) -> str:
    return _time(ms).partition(" ")[2]


def _instant(text: str) -> int:
    """Read --at: epoch ms, or ISO 8601, where a time without fractions of a second means the whole second."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {shown(text)}: write 2026-12-01T13:45:00, or epoch milliseconds") from None
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    milliseconds = round(when.timestamp()) * 1000 if not when.microsecond else int(when.timestamp() * 1000)
    return milliseconds if when.microsecond else milliseconds + 999
