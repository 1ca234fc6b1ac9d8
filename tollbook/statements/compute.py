"""Compute a statement from today's sums and from the statements that were issued before. Pure.

What an earlier month is worth today, less what all issued statements have charged for it, is a correction of the next
statement. It is exact, and two corrections do not double: the first is among what was charged when the second comes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tollbook.model.party import Party
from tollbook.model.statement_sums import LineKey, LineSums, NamedCall, PeriodSums, differences
from tollbook.model.taxes import Tax
from tollbook.statements.amounts import minutes, totals
from tollbook.statements.period import Period
from tollbook.statements.statement import Kind, Line, Statement, Uncounted, UncountedCall

#: How many calls that no line counts a statement names, the oldest first; it counts them all.
MOST_NAMED: Final = 50


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a statement says beside its sums: the parties, the zone of its month, and its taxes."""

    account_id: str
    zone: str
    issuer: Party
    recipient: Party
    taxes: Sequence[Tax]


@dataclass(frozen=True, kw_only=True)
class TodaysSums:
    """Today's sums of each issued month, oldest first, and of the month itself, which is the last.

    `lost`: months of which not all calls are kept any more, so that they are not compared.
    `erased`: an erasure may have removed calls since the newest issued statement was read. `as_of_ts`: when these sums
    were read, epoch ms.
    """

    periods: Sequence[Period]
    sums: Sequence[PeriodSums]
    named: Sequence[NamedCall]
    lost: frozenset[str]
    erased: bool
    as_of_ts: int = 0


def compute(terms: Terms, today: TodaysSums, issued: Sequence[Statement]) -> Statement:
    """Return the statement of the last period as a draft; `issued`: all earlier statements of the account.

    Raises DataError for an amount without a currency, and for a currency that ISO 4217 does not list.
    """
    period, own = today.periods[-1], today.sums[-1]
    billed = _billed(issued)
    lines = _lines(period.month, "calls", own.lines)
    not_compared: list[str] = []
    for earlier, sums in zip(today.periods[:-1], today.sums[:-1], strict=True):
        if earlier.month in today.lost:
            not_compared.append(earlier.month)
            continue
        more = differences(sums.lines, billed[earlier.month])
        lines += _lines(earlier.month, _kind(more.values(), erased=today.erased), more)
    named_before = {month for statement in issued for month in statement.not_compared}
    taxes_of = {statement.month: statement.taxes for statement in issued} | {period.month: tuple(terms.taxes)}
    return Statement(
        account_id=terms.account_id,
        month=period.month,
        zone=terms.zone,
        from_ts=period.from_ts,
        until_ts=period.until_ts,
        issuer=terms.issuer,
        recipient=terms.recipient,
        taxes=tuple(terms.taxes),
        lines=tuple(lines),
        totals=totals(lines, taxes_of),
        uncounted=tuple(_uncounted(today)),
        uncounted_calls=tuple(
            UncountedCall(start_ts=call.start_ts, call_id=call.call_id, open=call.open)
            for call in sorted(today.named)[:MOST_NAMED]
        ),
        estimated=own.estimated,
        as_of_ts=today.as_of_ts,
        not_compared=tuple(month for month in not_compared if month not in named_before),
    )


def _billed(issued: Iterable[Statement]) -> Mapping[str, dict[LineKey, LineSums]]:
    """Return what all statements together have charged for each month; what was erased counts as charged."""
    billed: dict[str, dict[LineKey, LineSums]] = defaultdict(dict)
    for statement in issued:
        for line in statement.lines:
            month = billed[line.month]
            month[line.key] = month.get(line.key, LineSums()) + line.sums
    return billed


def _kind(more: Iterable[LineSums], *, erased: bool) -> Kind:
    """Return what the differences of a month are. Erased calls are missing: a month without fewer calls lost none."""
    return "erased" if erased and sum(sums.calls for sums in more) < 0 else "correction"


def _lines(month: str, kind: Kind, sums: Mapping[LineKey, LineSums]) -> list[Line]:
    """Return the lines of a month, by currency, direction and destination."""
    return [
        Line(
            month=month,
            kind=kind,
            direction=key.direction,
            destination=key.destination,
            currency=key.currency,
            calls=line.calls,
            billsec=line.billsec,
            minutes=minutes(line.billsec),
            amount_micros=line.cost_micros,
        )
        for key, line in sorted(sums.items(), key=lambda item: _order(item[0]))
    ]


def _order(key: LineKey) -> tuple[object, ...]:
    return (key.currency or "", key.direction, key.destination is None, key.destination or "")


def _uncounted(today: TodaysSums) -> Iterable[Uncounted]:
    for period, sums in zip(today.periods, today.sums, strict=True):
        if sums.open or sums.unrated.calls:
            yield Uncounted(
                month=period.month,
                open=sums.open,
                unrated=sums.unrated.calls,
                unrated_billsec=sums.unrated.billsec,
            )
