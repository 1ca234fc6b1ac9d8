"""What was said of agents in a time, agent by agent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from tollbook.errors import QuestionTooLarge
from tollbook.model.agents.change import AgentChange
from tollbook.model.agents.spans import AgentSpan, Gap, spans_of
from tollbook.store.database import Connection, store_errors
from tollbook.times import US_PER_MS, US_PER_SECOND

#: Three heartbeats. Whoever has not been heard for so long may be doing anything.
SILENT_US: Final = 60 * US_PER_SECOND
#: A day of 500 busy agents; they are read and laid out in two seconds.
MAX_CHANGES: Final = 200_000
_ROWS_AT_ONCE: Final = 10_000

# In the order in which it was said, beginning with what held before.
_CHANGES: Final = """
    SELECT switch, agent, account_id, own_since, kind, at_us, sequence, value
    FROM agent JOIN agent_state USING (switch, agent)
    WHERE at_us >= %(since_us)s AND at_us < %(until_us)s AND (%(agent)s::text IS NULL OR agent = %(agent)s)
    UNION ALL
    SELECT switch, agent, account_id, own_since, kind, last.at_us, last.sequence, last.value
    FROM agent CROSS JOIN (VALUES ('status'), ('state'), ('removed')) AS kinds(kind)
    CROSS JOIN LATERAL (
        SELECT at_us, sequence, value FROM agent_state AS said
        WHERE said.switch = agent.switch AND said.agent = agent.agent AND said.kind = kinds.kind
          AND at_us < %(since_us)s
        ORDER BY at_us DESC, sequence DESC LIMIT 1
    ) AS last
    WHERE %(agent)s::text IS NULL OR agent = %(agent)s
    ORDER BY switch, agent, at_us, sequence
"""
_GAPS: Final = """
    SELECT switch, from_us, until_us FROM agent_gap
    WHERE from_us < %s AND (until_us IS NULL OR until_us > %s) ORDER BY switch, from_us
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentWindow:
    """From `kept_day` on PostgreSQL has all that was said; the days before `open_day` are closed."""

    kept_day: int
    open_day: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentHistory:
    """An agent, whose it is and since when (epoch ms), and what was said of it, in order."""

    switch: str
    agent: str
    account_id: str | None
    own_since: int
    changes: Sequence[AgentChange]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unheard:
    """When nobody heard each switch."""

    gaps: Mapping[str, Sequence[Gap]] = field(default_factory=dict[str, Sequence[Gap]])

    def spans(self, history: AgentHistory, since_ms: int, until_ms: int) -> list[AgentSpan]:
        """Return an agent's spans in a time."""
        return spans_of(history.changes, self.gaps.get(history.switch, ()), since_ms, until_ms)


def read_agent_window(connection: Connection) -> AgentWindow:
    """Read which days PostgreSQL has."""
    with store_errors():
        row = connection.execute("SELECT kept_day, open_day FROM agent_window").fetchone()
    assert row is not None
    return AgentWindow(kept_day=row[0], open_day=row[1])


def read_unheard(connection: Connection, since_ms: int, until_ms: int, *, now_us: int) -> Unheard:
    """Read the gaps of a time. A switch that is silent at `now_us` (epoch µs) has one since its last sign of life."""
    gaps: defaultdict[str, list[Gap]] = defaultdict(list)
    with store_errors():
        for switch, from_us, until_us in connection.execute(_GAPS, (until_ms * US_PER_MS, since_ms * US_PER_MS)):
            gaps[switch].append(Gap(from_us, until_us))
        # Of an older process of the switch the sign of life is older too.
        for switch, seen_us in connection.execute("SELECT switch, max(seen_us) FROM switch_process GROUP BY switch"):
            if now_us - seen_us > SILENT_US:
                gaps[switch].append(Gap(seen_us, None))
    return Unheard(gaps=gaps)


def read_histories(
    connection: Connection, since_ms: int, until_ms: int, *, agent: str | None = None
) -> list[AgentHistory]:
    """Read what was said of the agents that the connection sees, or of those of one name, in a time and just before it.

    Raises QuestionTooLarge for more than MAX_CHANGES, and StoreUnavailable.
    """
    with store_errors():
        parameters = _parameters(since_ms, until_ms, agent) | {"most": MAX_CHANGES + 1}
        rows = connection.execute(_CHANGES + " LIMIT %(most)s", parameters).fetchall()
    if len(rows) > MAX_CHANGES:
        raise QuestionTooLarge(
            f"agents changed their states more than {MAX_CHANGES:,} times in that time, as far as it is not closed yet:"
            " ask for less time, or for one agent"
        )
    return list(_histories(rows))


def iterate_histories(connection: Connection, since_ms: int, until_ms: int) -> Iterator[AgentHistory]:
    """Yield what was said of all agents, one agent in memory at a time. Call in a transaction; raises as the driver."""
    with connection.cursor("agents") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        yield from _histories(cursor.execute(_CHANGES, _parameters(since_ms, until_ms, None)))


def _parameters(since_ms: int, until_ms: int, agent: str | None) -> dict[str, object]:
    return {"since_us": since_ms * US_PER_MS, "until_us": until_ms * US_PER_MS, "agent": agent}


def _histories(rows: Iterable[tuple[Any, ...]]) -> Iterator[AgentHistory]:
    for (switch, agent, account_id, own_since), said in groupby(rows, key=itemgetter(0, 1, 2, 3)):
        changes = [AgentChange(switch, agent, *change) for _, _, _, _, *change in said]
        yield AgentHistory(switch=switch, agent=agent, account_id=account_id, own_since=own_since, changes=changes)
