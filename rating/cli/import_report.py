"""What `tollbook rates import` prints: which rates changed in which way, and what looks like a mistake."""

from tollbook.model.money import format_amount
from tollbook.store.tariffs.deck_import import Imported
from tollbook.store.tariffs.deck_staging import Comparison, RateChange

_Terms = tuple[int, int, int, int]


def report(done: Imported, *, update: bool, dry_run: bool) -> str:
    """Return the lines about an import: how many prefixes changed in which way and the first of each, then warnings."""
    plan, compared = done.plan, done.compared
    base = f", base {plan.base_plan_id}" if plan.base_plan_id else ""
    into = f"plan {plan.plan_id} ({plan.currency}{base})"
    if not compared.changed:
        lines = [f"{into} has these {done.given} rates already, since version {plan.version}"]
    else:
        verb = "would be imported" if dry_run else "imported"
        head = f"{done.given} rates {verb} into {into} as version {plan.version}"
        if update:
            lines = [f"{head}, for their prefixes alone; of its {compared.rates} rates {compared.same} are as before"]
        else:
            lines = [f"{head}; {compared.same} are as before"]
        lines += _changes(compared)
    lines += _warnings(compared)
    if dry_run and compared.changed:
        lines.append("nothing was changed")
    return "\n".join(lines)


def _changes(compared: Comparison) -> list[str]:
    lines: list[str] = []
    for kind in dict.fromkeys(change.kind for change in compared.changes):
        listed = [change for change in compared.changes if change.kind == kind]
        lines.append(f"  {listed[0].total} {kind}")
        lines += [
            f"    {change.direction} {change.prefix or '(any number)'} {change.name}: {_terms(change)}"
            for change in listed
        ]
        if len(listed) < listed[0].total:
            lines.append(f"    and {listed[0].total - len(listed)} more")
    return lines


def _terms(change: RateChange) -> str:
    """Write a rate before and after: the price of a minute, and of the other terms those that are not alike."""
    both = [terms for terms in (change.before, change.after) if terms is not None]
    with_fee = any(terms[1] for terms in both)
    with_increment = len(both) == 2 and both[0][2:] != both[1][2:]

    def text(terms: _Terms) -> str:
        per_min, fee, first, following = terms
        return (
            format_amount(per_min)
            + (f" fee {format_amount(fee)}" if with_fee else "")
            + (f" by {first}/{following}" if with_increment else "")
        )

    return " -> ".join(map(text, both))


def _warnings(compared: Comparison) -> list[str]:
    lines: list[str] = []
    gone = max((change.total for change in compared.changes if change.kind == "gone"), default=0)
    if gone > compared.rates:
        lines.append("warning: most prefixes are gone. If the file is a change notice, import it with --update")
    if compared.unreachable:
        shown = ", ".join(compared.unreachable_prefixes)
        more = compared.unreachable - len(compared.unreachable_prefixes)
        lines.append(
            f"warning: {compared.unreachable} prefixes match no number that a numbering plan reads: it makes a country"
            f" code and a number of each, without 00: {shown}{f' and {more} more' if more else ''}"
        )
    return lines
