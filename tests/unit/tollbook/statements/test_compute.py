"""A statement corrects what earlier ones have charged: exactly, once, and as a property of any history."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollbook.model.party import Party
from tollbook.model.statement_sums import LineKey, LineSums, NamedCall, PeriodSums, SumRow, add_up
from tollbook.statements.compute import MOST_NAMED, Terms, TodaysSums, compute
from tollbook.statements.period import Period
from tollbook.statements.statement import Statement

TERMS = Terms(account_id="acme", zone="UTC", issuer=Party(), recipient=Party(), taxes=())
GERMANY, FRANCE = LineKey("outbound", "Germany", "EUR"), LineKey("outbound", "France", "EUR")

_sums = st.builds(LineSums, st.integers(1, 9), st.integers(0, 999), st.integers(0, 10**9))
_lines = st.dictionaries(st.sampled_from([GERMANY, FRANCE, LineKey("inbound", None, "USD")]), _sums)


def month_sums(*lines: dict[LineKey, LineSums], erased: bool = False, lost: tuple[str, ...] = ()) -> TodaysSums:
    """Today's sums of as many months of 2026 from January on."""
    periods = [
        Period(month=f"2026-{number:02}", from_ts=number, until_ts=number + 1) for number in range(1, len(lines) + 1)
    ]
    return TodaysSums(
        periods=periods, sums=[PeriodSums(lines=each) for each in lines], named=(), lost=frozenset(lost), erased=erased
    )


def history(*months: TodaysSums) -> list[Statement]:
    """Issue a month after the other."""
    issued: list[Statement] = []
    for number, today in enumerate(months, start=1):
        issued.append(replace(compute(TERMS, today, issued), number=f"T-{number}", issued_ts=number))
    return issued


@given(st.data())
def test_all_statements_together_have_charged_what_each_month_is_worth_at_the_last_one(data: st.DataObject) -> None:
    """Whatever the months became between, by whatever road: to the micro, by direction, destination and currency."""
    count = data.draw(st.integers(1, 5))
    days = [month_sums(*(data.draw(_lines) for _ in range(number))) for number in range(1, count + 1)]
    charged: dict[tuple[str, LineKey], LineSums] = {}
    for statement in history(*days):
        for line in statement.lines:
            key = (line.month, line.key)
            charged[key] = charged.get(key, LineSums()) + line.sums
    worth = {
        (period.month, key): sums
        for period, month in zip(days[-1].periods, days[-1].sums, strict=True)
        for key, sums in month.lines.items()
    }
    assert {key: sums for key, sums in charged.items() if sums != LineSums()} == worth


def test_an_unchanged_month_has_no_line() -> None:
    """Neither has one that was corrected before."""
    first, changed = {GERMANY: LineSums(2, 60, 100)}, {GERMANY: LineSums(2, 60, 90)}
    statements = history(
        month_sums(first), month_sums(first, {}), month_sums(changed, {}, {}), month_sums(changed, {}, {}, {})
    )
    assert [len(statement.lines) for statement in statements] == [1, 0, 1, 0]


def test_after_an_erasure_a_month_with_fewer_calls_lost_them_to_it() -> None:
    """A month with as many calls was priced again: that is corrected all the same."""
    before = [{GERMANY: LineSums(2, 60, 100)}, {GERMANY: LineSums(1, 60, 100)}]
    after = [{GERMANY: LineSums(1, 30, 50)}, {FRANCE: LineSums(1, 60, 130)}]
    issued = history(month_sums(before[0]), month_sums(*before))
    statement = compute(TERMS, month_sums(*after, {}, erased=True), issued)
    kinds = [(line.month, line.kind, line.key.destination, line.amount_micros) for line in statement.lines]
    assert kinds == [
        ("2026-01", "erased", "Germany", -50), ("2026-02", "correction", "France", 130),
        ("2026-02", "correction", "Germany", -100),
    ]  # fmt: skip
    assert [total.amount_micros for total in statement.totals] == [30]


def test_a_lost_month_is_named_by_the_first_statement_after_it() -> None:
    """And by no later one: the list would grow for ever."""
    issued = history(month_sums({GERMANY: LineSums(1, 1, 1)}), month_sums({}, {}, lost=("2026-01",)))
    assert issued[1].not_compared == ("2026-01",)
    later = compute(TERMS, month_sums({}, {}, {}, lost=("2026-01",)), issued)
    assert (later.lines, later.not_compared) == ((), ())


def test_calls_that_no_line_counts() -> None:
    """Open and unrated ones are counted by month, and the oldest are named, so many and no more."""
    rows = [
        SumRow(0, GERMANY, LineSums(2, 120, 0), priced=False),
        SumRow(0, GERMANY, LineSums(3, 0, 0), priced=False, open=True),
        SumRow(0, GERMANY, LineSums(4, 60, 7), estimated=1),
        SumRow(0, GERMANY, LineSums(1, 5, 1)),
    ]
    named = [NamedCall(number, f"c{number}", False) for number in reversed(range(MOST_NAMED + 1))]
    period = Period(month="2026-01", from_ts=0, until_ts=1)
    today = TodaysSums(periods=[period], sums=add_up(rows, 1), named=named, lost=frozenset(), erased=False)
    statement = compute(TERMS, today, [])
    assert [(some.open, some.unrated, some.unrated_billsec) for some in statement.uncounted] == [(3, 2, 120)]
    assert [call.call_id for call in statement.uncounted_calls] == [f"c{number}" for number in range(MOST_NAMED)]
    assert [line.sums for line in statement.lines] == [LineSums(5, 65, 8)]
    assert statement.estimated == 1
