"""A question as SQL that DuckDB and Spark understand alike. Filters are no part of it, so no text from a request is.

Each measure is exact. What has 64 bits is added up as a decimal of 38 digits, because Spark's sums have 64 bits, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.archive.engine.question import Question
from tollbook.archive.schema import account_of
from tollbook.model.call_sums import CallSums, GroupKey, Periods, cost_of
from tollbook.model.queue_sums import MEASURES as QUEUE_MEASURES
from tollbook.model.queue_sums import QueueSums
from tollbook.times import US_PER_MS

#: What archived calls can be grouped by, apart from periods, and the column that each is made of: as
#: `tollbook.store.calls.grouping.GROUP_COLUMNS`.
GROUPS: Final[dict[str, LiteralString]] = {
    "account_id": "account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "destination": "destination",
    "prefix": "to_num",
}
# Each is a field of CallSums, except the cost, of which a group has one for each currency. Archived calls are complete:
# none is open, and one without a cost is unrated.
_MEASURES: Final[dict[str, LiteralString]] = {
    "calls": "count(*)",
    "answered": "count(CASE WHEN answered = 1 THEN 1 END)",
    "billsec": "coalesce(sum(CAST(billsec AS BIGINT)), 0)",
    "unrated": "count(*) - count(cost_micros)",
    "cost_micros": "sum(CAST(cost_micros AS DECIMAL(38, 0)))",
    "wait_ms": "coalesce(sum(CAST(wait_ms AS DECIMAL(38, 0))), 0)",
    "wait_calls": "count(wait_ms)",
    "ring_ms": "coalesce(sum(CAST(ring_ms AS DECIMAL(38, 0))), 0)",
    "ring_calls": "count(ring_ms)",
}
_MEASURED: Final = ("currency", "answered", "billsec", "cost_micros", "wait_ms", "ring_ms")
# What questions about queues read beside that.
_QUEUE_MEASURED: Final = ("queue_id", "agent_id", "disposition", "talk_ms")


def columns_of(question: Question) -> tuple[str, ...]:
    """Return the archive's columns that the answer is made of, each once."""
    grouped = ("start_ts" if isinstance(group, Periods) else GROUPS[group] for group in question.groups)
    return tuple(dict.fromkeys((*_measured(question), *grouped)))


@dataclass(frozen=True, kw_only=True, slots=True)
class SumsSql:
    """What is computed, as expressions: first the values of each call, then the sums by group and currency.

    `values`: the columns to add up, and those to group by under the names of `groups`, of which the currency is the
    last. The answer has the groups and then the measures.
    """

    values: tuple[str, ...]
    groups: tuple[str, ...]
    measures: tuple[str, ...]

    def sql(self, calls: str) -> str:
        """Return all of it as SQL over the table `calls`."""
        # The values in a SELECT of their own: GROUP BY takes the number of a period for that of a column.
        return (
            f"SELECT {', '.join((*self.groups, *self.measures))}"  # noqa: S608 - nothing of a request is in it
            f" FROM (SELECT {', '.join(self.values)} FROM {calls}) AS valued GROUP BY {', '.join(self.groups)}"
        )


def sums_sql(question: Question, *, start_us: str) -> SumsSql:
    """Return what answers a question; `start_us` is the engine's expression for start_ts in epoch µs."""
    names = [f"group{number}" for number in range(len(question.groups))]
    grouped = [_value(group, question.prefix_digits, start_us) for group in question.groups]
    measures = _MEASURES if question.within_ms is None else _MEASURES | _queue_measures(question.within_ms)
    return SumsSql(
        values=(
            *(f"{value} AS {name}" for value, name in zip(grouped, names, strict=True)),
            *_measured(question),
        ),
        groups=(*names, "currency"),
        measures=tuple(f"{measure} AS {name}" for name, measure in measures.items()),
    )


def answer_of(question: Question, rows: Sequence[Sequence[object]]) -> dict[GroupKey, CallSums]:
    """Return the sums of each group from the rows of the statement's answer."""
    width = len(question.groups)
    answer: dict[GroupKey, CallSums] = {}
    for row in rows:
        key = tuple(map(_group_value, question.groups, row[:width]))
        answer[key] = answer.get(key, CallSums()).plus(_sums_of(row[width], row[width + 1 :]))
    return answer


def _measured(question: Question) -> tuple[str, ...]:
    return _MEASURED if question.within_ms is None else (*_MEASURED, *_QUEUE_MEASURED)


def _queue_measures(within_ms: int) -> dict[str, str]:
    measures: dict[str, str] = {}
    for name, (made, condition, column) in QUEUE_MEASURES.items():
        value = f"CAST({column} AS DECIMAL(38, 0))" if made == "sum" else column
        counted = f"CASE WHEN {condition.format(within_ms=f'{within_ms:d}')} THEN {value} END"
        measures[name] = f"coalesce({made}({counted}), 0)"
    return measures


def _value(group: str | Periods, prefix_digits: int, start_us: str) -> str:
    if isinstance(group, Periods):
        return _period(group.starts, 0, len(group.starts), start_us)
    if group == "prefix":
        return f"substring(trim(LEADING '+' FROM to_num), 1, {prefix_digits:d})"
    return GROUPS[group]


def _period(starts: Sequence[int], first: int, end: int, start_us: str) -> str:
    """Return the number of a call's period as nested CASEs, which bisect the starts.

    So time zones stay out of the engines, each of which has its own idea of when a day begins where clocks change.
    """
    if end - first <= 1:
        return str(first)
    middle = (first + end) // 2
    earlier, later = (_period(starts, *part, start_us) for part in ((first, middle), (middle, end)))
    return f"CASE WHEN {start_us} < {starts[middle] * US_PER_MS:d} THEN {earlier} ELSE {later} END"


def _group_value(group: str | Periods, value: object) -> str | int | None:
    assert value is None or isinstance(value, str | int)
    return account_of(value) if group == "account_id" and isinstance(value, str) else value


def _sums_of(currency: object, measured: Sequence[object]) -> CallSums:
    assert currency is None or isinstance(currency, str)
    values = dict(zip(_MEASURES, measured, strict=False))
    queue = dict(zip(QUEUE_MEASURES, measured[len(_MEASURES) :], strict=False))
    cost = values.pop("cost_micros")
    return CallSums(
        **{name: _whole(value) for name, value in values.items()},
        cost=cost_of(currency, None if cost is None else _whole(cost)),
        queue=QueueSums(**{name: _whole(value) for name, value in queue.items()}),
    )


def _whole(value: object) -> int:
    """Return a sum as an integer; a decimal of no places is one."""
    whole = int(value)  # pyright: ignore[reportArgumentType]
    assert whole == value
    return whole
