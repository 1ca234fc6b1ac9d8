"""What the calls of queues add up to, and which of them count as what. docs/api.md, "Queues and agents", has the rules.

A call counts in one queue, that of its queue_id: the queue whose agent took it, or else the last one that it was in.
Only complete calls count. Each has one outcome:

- served: an agent took it. agent_id names the agent, or talk_ms says so of one without a name. A consumer of mod_fifo
  has neither: calls of mod_fifo, which have no wait, are served if they were answered;
- overflowed: no agent took it, and somebody else answered it, after a time-out of the queue for example;
- abandoned, all others: the caller hung up, or the queue let go of the caller, and at most a machine answered (an
  announcement, a mailbox); or the switch died.

A row does not say when somebody else answered. Whom a receptionist transferred into a queue, and who gave up there, is
overflowed, and in one of mod_fifo served: its `disposition` is answered, by docs/calls.md.
"""

from dataclasses import dataclass
from typing import Final, Literal, LiteralString, NamedTuple

#: Seconds of waiting within which a call should be served, unless the question says otherwise.
SERVICE_LEVEL_S: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueSums:
    """The sums of some calls of queues; the abandoned ones are those that were neither served nor overflowed.

    `waits`: those whose wait is known; `longest_wait_ms` is of these, 0 without any. `in_time`: served within the
    service level. `talk_ms` is of the `talks` whose agent's talk is known.
    """

    offered: int = 0
    served: int = 0
    overflowed: int = 0
    waits: int = 0
    in_time: int = 0
    served_waits: int = 0
    served_wait_ms: int = 0
    longest_wait_ms: int = 0
    talks: int = 0
    talk_ms: int = 0

    @property
    def abandoned(self) -> int:
        """The calls that nobody took."""
        return self.offered - self.served - self.overflowed

    def plus(self, more: "QueueSums") -> "QueueSums":
        """Add the sums of other calls."""
        return QueueSums(
            offered=self.offered + more.offered,
            served=self.served + more.served,
            overflowed=self.overflowed + more.overflowed,
            waits=self.waits + more.waits,
            in_time=self.in_time + more.in_time,
            served_waits=self.served_waits + more.served_waits,
            served_wait_ms=self.served_wait_ms + more.served_wait_ms,
            longest_wait_ms=max(self.longest_wait_ms, more.longest_wait_ms),
            talks=self.talks + more.talks,
            talk_ms=self.talk_ms + more.talk_ms,
        )


NO_QUEUE_SUMS: Final = QueueSums()


class QueueMeasure(NamedTuple):
    """How a field of QueueSums is made: the number, sum or maximum of `column` over the calls that meet `condition`.

    Both are SQL that PostgreSQL, DuckDB and Spark understand alike; NULL is no value. `{within_ms}` in a condition
    stands for the service level in milliseconds. Of a call only `queue_id`, `agent_id`, `disposition` (NULL while it is
    up), `wait_ms` and `talk_ms` are read.
    """

    made: Literal["count", "sum", "max"]
    condition: LiteralString
    column: LiteralString


_OFFERED: Final[LiteralString] = "queue_id IS NOT NULL AND disposition IS NOT NULL"
_AGENT: Final[LiteralString] = "(agent_id IS NOT NULL OR talk_ms IS NOT NULL)"
_SERVED: Final[LiteralString] = f"{_OFFERED} AND ({_AGENT} OR (disposition = 'answered' AND wait_ms IS NULL))"
_OVERFLOWED: Final[LiteralString] = f"{_OFFERED} AND NOT {_AGENT} AND disposition = 'answered' AND wait_ms IS NOT NULL"

#: Each field of QueueSums, in its order.
MEASURES: Final[dict[LiteralString, QueueMeasure]] = {
    "offered": QueueMeasure("count", _OFFERED, "queue_id"),
    "served": QueueMeasure("count", _SERVED, "queue_id"),
    "overflowed": QueueMeasure("count", _OVERFLOWED, "queue_id"),
    "waits": QueueMeasure("count", _OFFERED, "wait_ms"),
    "in_time": QueueMeasure("count", f"{_SERVED} AND wait_ms <= {{within_ms}}", "queue_id"),
    "served_waits": QueueMeasure("count", _SERVED, "wait_ms"),
    "served_wait_ms": QueueMeasure("sum", _SERVED, "wait_ms"),
    "longest_wait_ms": QueueMeasure("max", _OFFERED, "wait_ms"),
    "talks": QueueMeasure("count", _SERVED, "talk_ms"),
    "talk_ms": QueueMeasure("sum", _SERVED, "talk_ms"),
}
