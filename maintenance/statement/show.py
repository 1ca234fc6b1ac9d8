"""A statement on a terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollbook.log import printable
from tollbook.model.money import format_amount
from tollbook.model.unbilled import Cause, Unbilled
from tollbook.statements.amounts import minutes
from tollbook.statements.sections import NO_DESTINATION, Section, by_currency
from tollbook.statements.statement import Issued, Total

# Where the output is no terminal: wide enough for every name but the longest.
_WIDTH = 120


def print_statement(issued: Issued) -> None:
    """Print a statement as tables, one for each currency."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=_WIDTH)
    statement = issued.statement
    title = f"statement {statement.number}" if statement.number else "draft of a statement"
    console.print(f"{title}: account {printable(statement.account_id)}, {statement.month} ({statement.zone})")
    if statement.number:
        console.print(f"sha256 {issued.sha256}")
    if not statement.lines:
        console.print("no calls")
    for currency, sections, total in by_currency(statement):
        console.print(_table(currency, sections, total))
    for some in statement.uncounted:
        console.print(
            f"not counted, of {some.month}: {some.open} calls that have not ended, {some.unrated} without a price"
        )
    for call in statement.uncounted_calls:
        console.print(f"  {'not ended' if call.open else 'no price'}: tollbook explain {printable(call.call_id)}")
    if statement.estimated:
        console.print(f"the end of {statement.estimated} calls is estimated")
    if statement.not_compared:
        console.print(f"no longer kept, and so corrected no more: {', '.join(statement.not_compared)}")


#: Of account codes; the calls of the others are counted.
_MOST_CODES: Final = 50
_REMEDIES: Final[dict[Cause, str]] = {
    "no account": "for later ones set TOLLBOOK_ACCOUNT_VARIABLE, or use `tollbook account number add`",
    "no such account": "`tollbook account add CODE`, then `tollbook rerate --unrated`",
    "no price": "`tollbook explain` says why; when they have a rate, `tollbook rerate --unrated`",
}


def unbilled_lines(month: str, found: Sequence[tuple[Cause, Unbilled]]) -> Iterator[str]:
    """Yield the calls of a month that nobody is billed for, by cause and account code."""
    if not found:
        yield f"every answered call of {month} has an account and a price"
    for cause, remedy in _REMEDIES.items():
        some = [unbilled for of_cause, unbilled in found if of_cause == cause]
        if some:
            yield f"{cause}: {sum(each.calls for each in some)} calls of {month}; {remedy}"
        for each in some[:_MOST_CODES]:
            whose = "" if each.account_id is None else f"{printable(each.account_id)}: "
            yield (
                f"  {whose}{each.calls} calls, {minutes(each.billsec)} minutes, the first:"
                f" tollbook explain {printable(each.first[1])}"
            )
        if len(some) > _MOST_CODES:
            left = some[_MOST_CODES:]
            yield f"  of {len(left)} other codes: {sum(each.calls for each in left)} calls"


def _table(currency: str | None, sections: Sequence[Section], total: Total | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("destination")
    for name in ("calls", "minutes", f"amount {currency}" if currency else "amount"):
        table.add_column(name, justify="right")
    for section in sections:
        table.add_row(section.title, style="bold")
        for line in section.lines:
            name = NO_DESTINATION if line.destination is None else printable(line.destination)
            table.add_row(Text(f"  {name}"), f"{line.calls}", line.minutes, format_amount(line.amount_micros))
        sums = section.sums
        table.add_row("  subtotal", f"{sums.calls}", minutes(sums.billsec), format_amount(sums.cost_micros))
        table.add_section()
    if total is not None:
        table.add_row("sum, exact", f"{total.calls}", total.minutes, format_amount(total.amount_micros))
        table.add_row("net, rounded", "", "", total.net)
        for tax in total.taxes:
            table.add_row(f"{tax.name} {tax.rate} % of {tax.net}", "", "", tax.tax)
        table.add_row("total due", "", "", total.total, style="bold")
    return table
