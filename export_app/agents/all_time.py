"""An agent's figures of any time: closed UTC days are kept as sums, open ones are laid out from what was said."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts, EveryAccount
from tollbook.model.agents.figures import AgentSums, sums_of
from tollbook.model.agents.spans import AgentSpan, present
from tollbook.store.agents.days import sum_days
from tollbook.store.agents.read import AgentWindow, read_agent_window, read_histories, read_unheard
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY, US_PER_MS


@dataclass(kw_only=True, slots=True)
class AgentFigures:
    """An agent, whose it is, what its time came to, and what it does at the end of the time; None: unknown, or gone."""

    switch: str
    agent: str
    account_id: str | None = None
    sums: AgentSums = field(default_factory=AgentSums)
    now: AgentSpan | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a time, [since, until) in epoch ms. `closed`: whole days whose sums are kept."""

    since: int
    until: int
    closed: bool


def pieces_of(window: AgentWindow, since: int, until: int) -> Iterator[Piece]:
    """Cut a time into what is kept as sums of days, and what is laid out. Raises ApiError for what is not kept."""
    first, end = -(-since // MS_PER_DAY), min(until // MS_PER_DAY, window.open_day)
    if first >= end:
        yield from _laid_out(window, since, until)
        return
    yield from _laid_out(window, since, first * MS_PER_DAY)
    yield Piece(since=first * MS_PER_DAY, until=end * MS_PER_DAY, closed=True)
    yield from _laid_out(window, end * MS_PER_DAY, until)


def _laid_out(window: AgentWindow, since: int, until: int) -> Iterator[Piece]:
    if since >= until:
        return
    if since < window.kept_day * MS_PER_DAY:
        raise ApiError(
            422,
            "not_kept",
            "of days before"
            f" {window.kept_day * MS_PER_DAY} what agents did is kept by the UTC day: let since, and until if it is"
            " as old, be a midnight in UTC",
        )
    yield Piece(since=since, until=until, closed=False)


def figures_of(
    connection: Connection, accounts: Accounts, since: int, until: int, *, agent: str | None, now_ms: int
) -> list[AgentFigures]:
    """Return the figures of the agents that the connection sees, by switch and name.

    `accounts`: those that it reads for: of an agent that was another's before, they get what it did since. Raises
    ApiError, QuestionTooLarge and StoreUnavailable.
    """
    found: dict[tuple[str, str], AgentFigures] = {}

    def of(switch: str, name: str) -> AgentFigures:
        return found.setdefault((switch, name), AgentFigures(switch=switch, agent=name))

    for piece in pieces_of(read_agent_window(connection), since, until):
        if piece.closed:
            first, end = piece.since // MS_PER_DAY, piece.until // MS_PER_DAY
            for switch, name, account_id, sums in sum_days(connection, first, end, agent=agent):
                figures = of(switch, name)
                figures.account_id, figures.sums, figures.now = account_id, figures.sums.plus(sums), None
            continue
        unheard = read_unheard(connection, piece.since, piece.until, now_us=now_ms * US_PER_MS)
        for history in read_histories(connection, piece.since, piece.until, agent=agent):
            own_since = 0 if isinstance(accounts, EveryAccount) else history.own_since
            spans = unheard.spans(history, max(piece.since, min(own_since, piece.until)), piece.until)
            if spans:
                figures = of(history.switch, history.agent)
                figures.account_id, figures.sums = history.account_id, figures.sums.plus(sums_of(spans))
                figures.now = present(spans, until)
    return [found[key] for key in sorted(found)]
