"""An explained call as text for a terminal. Callers choose names, numbers and ids, so nothing here is markup."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rating.explain import ExplainedCall, ExplainedCharge
from rating.remedy import remedy
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.explain.leg_view import LegView
from tollbook.model.money import format_amount
from tollbook.model.record import COLUMNS
from tollbook.store.calls.detail import PriceBefore

LONGEST_ID: Final = 256
# Of a text that a caller chose. --json prints it whole.
_LONGEST_VALUE: Final = 120
_LONGEST_SENTENCE: Final = 400
_KNOWN_FROM: Final = {
    "cdr_file": "known from its CDR file",
    "import": "imported",
    "look": "its creation was not heard: known from a look at the switch",
    "end": "its creation was not heard: known from its end",
    "answer": "only its answer was heard",
}
_REPLACED_BY: Final = {
    "event": "a late event",
    "cdr_file": "a CDR file",
    "joined": "another call that it is part of",
    "archive": "the row that replaced it in the archive",
    "other": "SQL",
}
_ENDED_BY: Final = {
    "cdr_file": "ended by its CDR file",
    "import": "its end was imported",
    "estimate": "its end is an estimate",
}


def escape(value: object, longest: int = _LONGEST_VALUE) -> str:
    """Return a value as text that is safe on a terminal: escaped where not printable (which includes characters that
    turn the direction of writing around), and cut at `longest` characters."""
    text = str(value)
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:longest])
    return safe if len(text) <= longest else f"{safe}…"


def render_call(call: ExplainedCall) -> RenderableType:
    """Lay out a call: what it was, its legs, why each column and each detail is what it is, its price."""
    blocks: list[RenderableType] = [_head(call)]
    if call.explanation.note:
        blocks.append(Text(f"Note: {escape(call.explanation.note, _LONGEST_SENTENCE)}", style="yellow"))
    if call.explanation.legs:
        blocks += [Text("\nLegs", style="bold"), *_trees(call.explanation.legs)]
    blocks += [Text("\nColumns", style="bold"), _columns(call, COLUMNS)]
    blocks += [Text("\nDetails", style="bold"), _columns(call, DETAIL_COLUMNS)]
    blocks += [Text("\nPrice", style="bold"), *_price(call)]
    return Group(*blocks)


def _head(call: ExplainedCall) -> Text:
    row = call.row
    head = Text(f"{row.direction} call, {escape(row.from_num, 40)} → {escape(row.to_num, 40)}", style="bold")
    head.append(f"\n{escape(row.call_id, LONGEST_ID)}\n", style="cyan")
    head.append(f"started {_date_and_time(row.start_ts)} UTC, ", style="dim")
    state = "up" if row.end_ts is None else f"{escape(row.disposition)}, revision {call.revision}"
    head.append(state + (", with an estimated end" if row.estimated else ""))
    head.append(f", switch {escape(row.switch, 40)}", style="dim")
    return head


def _trees(legs: tuple[LegView, ...]) -> list[Tree]:
    nodes: dict[int, Tree] = {}
    tops: list[Tree] = []
    # A parent can have a higher number than its child when both began in one microsecond, so the upper legs come first.
    for leg in sorted(legs, key=lambda leg: (leg.depth, leg.leg)):
        node = Tree(_leg(leg), guide_style="dim")
        nodes[leg.leg] = node
        if leg.child_of is None:
            tops.append(node)
        else:
            nodes[leg.child_of].children.append(node)
    return tops


def _leg(leg: LegView) -> Text:
    text = Text(f"{leg.leg} ", style="bold")
    text.append("→ " if leg.direction == "outbound" else "← ", style="cyan")
    text.append(escape(leg.channel, 60) or "no channel name")
    text.append(f"  {escape(leg.caller_num, 30) or '-'} → {escape(leg.dialed_num, 30) or '-'}", style="bold")
    times = [f"created {_time(leg.created_ts)}"]
    times.append(f"answered {_time(leg.answered_ts)}" if leg.answered_ts else "not answered")
    if leg.hangup_ts:
        times.append(f"hung up {_time(leg.hangup_ts)} {escape(leg.hangup_cause or '', 40)}".rstrip())
    else:
        times.append("still up")
    text.append(f"\n{' · '.join(times)}", style="default not bold")
    gateway = f" ({escape(leg.gateway, 40)})" if leg.gateway else ""
    off_net = f"off-net by {leg.off_net_rule}{gateway}" if leg.off_net else f"not off-net: {leg.off_net_rule}"
    text.append(f"\n{_place_in_tree(leg)} · {off_net}", style="dim not bold")
    for line in (_course(leg), _media(leg), _sip(leg)):
        if line:
            text.append(f"\n{' · '.join(line)}", style="dim not bold")
    doubts = [_KNOWN_FROM.get(leg.known_from), _ENDED_BY.get(leg.ended_by or "")]
    doubts += [f"recovered at {_time(created_ts)}" for created_ts in leg.lives[1:]]
    if any(doubts):
        text.append(f"\n{' · '.join(filter(None, doubts))}", style="yellow not bold")
    return text


def _course(leg: LegView) -> list[str]:
    """Return when the party showed signs of life, how long it held, and how it ended."""
    course = [f"rang {_time(leg.progress_ts)}"] if leg.progress_ts else []
    course += [f"early media {_time(leg.progress_media_ts)}"] if leg.progress_media_ts else []
    course += [f"after {leg.pdd_ms} ms"] if leg.pdd_ms is not None else []
    course += [f"held {leg.hold_ms} ms"] if leg.hold_ms else []
    course += [f"ended by {escape(leg.hangup_disposition, 40)}"] if leg.hangup_disposition else []
    return course + ([f"SIP {leg.sip_status}"] if leg.sip_status else [])


def _media(leg: LegView) -> list[str]:
    """Return what the switch received from the party, and where that was recorded."""
    media = [escape(leg.codec, 40)] if leg.codec else []
    if quality := leg.quality:
        score = "no MOS" if quality.rx_mos is None else f"MOS {quality.rx_mos}"
        media.append(f"received: {score}, {quality.packets_in} packets, {quality.packets_skipped} skipped")
    return media + [f"recorded in {escape(path)}" for path in leg.recordings]


def _sip(leg: LegView) -> list[str]:
    """Return what finds the leg in a SIP trace."""
    sip = [f"Call-ID {escape(leg.sip_call_id)}"] if leg.sip_call_id else []
    sip += [f"with {escape(leg.source_ip, 50)}"] if leg.source_ip else []
    return sip + ([escape(leg.user_agent, 60)] if leg.user_agent else [])


def _place_in_tree(leg: LegView) -> str:
    if leg.role == "root":
        return "the root"
    if leg.child_of is not None:
        return f"child of {leg.child_of} by {leg.named_by}"
    return f"child by {leg.named_by} of {escape(leg.parent_uid, 60)}, which was not heard"


def _columns(call: ExplainedCall, names: Sequence[str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold", style="dim")
    for name in names:
        rule = escape(call.explanation.rules[name], _LONGEST_SENTENCE)
        table.add_row(name, Text(_value(call, name)), Text(rule))
    return table


def _value(call: ExplainedCall, column: str) -> str:
    if column == "call_id":
        return "as above"  # the heading has it whole
    details = call.row.details
    match column, call.value(column):
        case _, None:
            return "-"
        case "recordings", _:
            return "\n".join(map(escape, details.recordings))
        case "vars", _:
            return "\n".join(escape(f"{name}={value}") for name, value in details.vars.items())
        case _, bool(value):
            return "yes" if value else "no"
        case _, int(value) if column.endswith("_ts"):
            return _date_and_time(value)
        case _, value:
            return escape(value)


def _price(call: ExplainedCall) -> list[RenderableType]:
    price = call.price
    unit = f" {price.currency}" if price.currency and price.parts and price.cost_micros is not None else ""
    return [
        *map(_charge, price.parts),
        Text(f"{escape(price.total, 1000)}{unit}", style="bold"),
        *_remedy(price.unrated, call.row.account_id),
        *(_former_price(former, call.row.account_id) for former in call.before),
    ]


def _remedy(unrated: str | None, account_id: str | None) -> list[Text]:
    if unrated is None:
        return []
    return [Text(f"what helps: {remedy(unrated, None if account_id is None else escape(account_id)).helps}")]


def _former_price(price: PriceBefore, account_id: str | None) -> Text:
    if price.unrated:
        cost = f"unrated: {escape(price.unrated, _LONGEST_SENTENCE)}"
    else:
        cost = f"{format_amount(price.cost_micros)} {price.currency}"
    text = Text(f"until {_date_and_time(price.replaced_ts)} UTC: {cost}")
    if price.account_id != account_id:
        text.append(f" for account {escape(price.account_id or '(none)', 80)}")
    by_whom, reason = escape(price.by_whom or "", 80), escape(price.reason or "", _LONGEST_SENTENCE)
    return text.append(f", replaced by {_REPLACED_BY.get(price.cause, f'{by_whom}: {reason}')}", style="dim")


def _charge(charge: ExplainedCharge) -> RenderableType:
    text = Text(f"{charge.direction} to {escape(charge.number, 40) or '-'}, {charge.seconds} s", style="bold")
    text.append(f": {format_amount(charge.cost_micros)}" + (f", rate {escape(charge.rate, 60)}" if charge.rate else ""))
    if charge.plan:
        text.append(f" (plan {escape(charge.plan, 40)}, version {charge.version})")
    why = [Text(charge.charged)] if charge.charged else []
    if charge.digits and charge.digits != charge.number:
        why.append(Text(f"{escape(charge.number, 40)} is compared as {charge.digits}", style="dim"))
    why.append(Text(escape(charge.priced, _LONGEST_SENTENCE), style="dim"))
    return Group(text, *(Padding(line, (0, 0, 0, 2)) for line in why))


def _date_and_time(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}.{rest:03}"


def _time(ms: int) -> str:
    return _date_and_time(ms).partition(" ")[2]
