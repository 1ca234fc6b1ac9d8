"""What is up now, of one account or of all: read once for all who watch it."""

import datetime as dt
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Final
from zoneinfo import ZoneInfo

from export_app.agents.all_time import figures_of
from export_app.database import Database
from export_app.queues.figures import sipio_figures
from export_app.stats.all_time import SumsQuestion, sum_in_postgresql
from tollbook.archive.engine.question import MAX_GROUPS
from tollbook.errors import QuestionTooLarge, StoreUnavailable
from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.queue_sums import NO_QUEUE_SUMS, SERVICE_LEVEL_S, QueueSums
from tollbook.model.selection import Selection
from tollbook.model.up_now import UpCall
from tollbook.store.calls.up_now import read_up_now
from tollbook.store.database import Connection
from tollbook.store.tariffs.account_profile import read_profile
from tollbook.times import MS_PER_HOUR

#: What is up is at most this old.
FRESH_S: Final = 2.0
#: The figures of the day, which read more, are.
DAY_FRESH_S: Final = 15.0
_EARLY_S: Final = 0.2
#: Since when an agent does what it does is known for so long.
AGENTS_MS: Final = MS_PER_HOUR
#: Accounts whose last answer is kept.
MAX_KEPT: Final = 200
MAX_AGENTS: Final = 1_000
#: Who has waited longest, and queues with their figures, of which so many are shown.
MAX_CALLERS: Final = 100
MAX_QUEUES: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueDay:
    """The sums of a queue's day."""

    queue_id: str
    account_id: str | None
    sums: QueueSums


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentNow:
    """An agent, what it does by the names of /v1/agents (`bucket`), and since when; None: for longer than AGENTS_MS."""

    agent_id: str
    account_id: str | None
    bucket: str
    since_ts: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """All that is shown, as of `now_ts`.

    `day`: None where the archive has some of the day, and it is not added up. `agents`: None where too much was heard
    of them.
    """

    now_ts: int
    day_ts: int
    calls: list[UpCall]
    more: bool
    agents: list[AgentNow] | None
    day: list[QueueDay] | None


@dataclass(kw_only=True, slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    now: Now | None = None
    read_s: float = 0.0  # when the reading began
    error: str | None = None  # why the last reading failed
    failed_s: float = 0.0
    day_read_s: float = 0.0


class NowBoard:
    """Reads what is up, and gives everybody who asks for the same accounts within FRESH_S the same answer."""

    def __init__(self, database: Database, zone: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._zone = zone
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Accounts, _Kept] = OrderedDict()
        #: How often it was read, for tests.
        self.reads = 0

    def fresh(self, accounts: Accounts) -> Now | None:
        """Return what is up of these accounts if it was read within FRESH_S; it waits for nothing."""
        with self._lock:
            kept = self._kept.get(_plain(accounts))
        return None if kept is None else self._fresh(kept)

    def of(self, accounts: Accounts) -> Now:
        """Return what is up of these accounts; raises StoreUnavailable.

        One reads, others of the account wait for it, also for its failure: so let no more wait than may.
        """
        accounts = _plain(accounts)
        with self._lock:
            kept = self._kept.setdefault(accounts, _Kept())
            self._kept.move_to_end(accounts)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        with kept.lock:
            if (now := self._fresh(kept)) is not None:
                return now
            if kept.error is not None and self._clock() - kept.failed_s < FRESH_S:
                raise StoreUnavailable(kept.error)
            try:
                return self._read(accounts, kept)
            except StoreUnavailable as error:
                kept.error, kept.failed_s = str(error), self._clock()
                raise

    def _fresh(self, kept: _Kept) -> Now | None:
        # A reader that asks every FRESH_S, and a little early, must not find the last answer each second time.
        return kept.now if self._clock() - kept.read_s < FRESH_S - _EARLY_S else None

    def forget(self) -> None:
        """Read anew at the next question."""
        with self._lock:
            self._kept.clear()

    def _read(self, accounts: Accounts, kept: _Kept) -> Now:
        now_ms, began_s = time.time_ns() // 1_000_000, self._clock()
        with self._database.watching(accounts) as connection:
            calls, more = read_up_now(connection, accounts)
            agents = _agents(connection, accounts, now_ms)
            day_ts, day = _midnight(connection, accounts, self._zone, now_ms), kept.now.day if kept.now else None
            if kept.now is None or self._clock() - kept.day_read_s >= DAY_FRESH_S or day_ts != kept.now.day_ts:
                day = _day(connection, accounts, day_ts, now_ms)
                kept.day_read_s = self._clock()
        self.reads += 1
        kept.now = found = Now(now_ts=now_ms, day_ts=day_ts, calls=calls, more=more, agents=agents, day=day)
        kept.read_s, kept.error = began_s, None
        return found


def _plain(accounts: Accounts) -> Accounts:
    """Return the accounts without how they were asked for: an operator's answer is the account's own."""
    return OneAccount(accounts.account_id) if isinstance(accounts, OneAccount) else accounts


def _midnight(connection: Connection, accounts: Accounts, zone: str, now_ms: int) -> int:
    if isinstance(accounts, OneAccount) and (profile := read_profile(connection, accounts)) is not None:
        zone = profile.zone or zone
    today = dt.datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(today.timestamp() * 1000)


def _agents(connection: Connection, accounts: Accounts, now_ms: int) -> list[AgentNow] | None:
    try:
        found = figures_of(connection, accounts, now_ms - AGENTS_MS, now_ms, agent=None, now_ms=now_ms)
    except QuestionTooLarge:
        return None
    return [
        AgentNow(
            agent_id=one.agent, account_id=one.account_id, bucket=one.now.bucket,
            # A span that begins with the time that was asked for began before it.
            since_ts=one.now.from_ms if one.now.from_ms > now_ms - AGENTS_MS else None,
        )
        for one in found
        if one.now is not None
    ]  # fmt: skip


def _day(connection: Connection, accounts: Accounts, since: int, until: int) -> list[QueueDay] | None:
    question = SumsQuestion(
        selection=Selection(accounts=accounts, since=since, until=until),
        groups=["queue_id", "account_id"],
        limit=MAX_GROUPS,
        prefix_digits=1,
        within_ms=SERVICE_LEVEL_S * 1000,
    )
    try:
        sums = sum_in_postgresql(connection, question)
    except QuestionTooLarge:
        return None
    if sums is None or sums.more:
        return None
    return [
        QueueDay(
            queue_id=str(queue_id),
            account_id=None if account_id is None else str(account_id),
            sums=group.queue,
        )
        for (queue_id, account_id), group in sums.groups
        if queue_id is not None
    ]


def shown(now: Now, *, queue: str | None, calls: bool, queues: bool, agents: bool) -> dict[str, object]:
    """Return what a reader may see: of one queue alone (None: of all), and the parts that its key has scopes for.

    A part that it may not see is null. Of one queue, which is a link's, no agents are shown, for nothing says which
    queues an agent serves, and neither numbers nor the account.
    """
    ours = [call for call in now.calls if queue is None or call.queue_id == queue]
    waiting = sorted(
        (call for call in ours if call.waiting_since is not None), key=lambda call: call.waiting_since or 0
    )
    day = None if now.day is None else [one for one in now.day if queue is None or one.queue_id == queue]
    return {
        "ok": True,
        "day_ts": now.day_ts,
        "queue_id": queue,
        "calls": None
        if not calls
        else {
            "up": len(ours),
            "talking": sum(call.talking for call in ours),
            "more": now.more,
            "waiting": len(waiting),
            "callers": [
                {"from_num": call.from_num if queue is None else None, "queue_id": call.queue_id,
                 "account_id": call.account_id if queue is None else None, "waiting_ts": call.waiting_since}
                for call in waiting[:MAX_CALLERS]
            ],
            "queues": _by_queue(ours, by_link=queue is not None),
        },
        "queues": None
        if not queues or day is None
        else [
            {"queue_id": one.queue_id, "account_id": one.account_id if queue is None else None, **_figures(one.sums)}
            for one in day[:MAX_QUEUES]
        ],
        "day": None
        if not queues or day is None
        else _figures(reduce(QueueSums.plus, (one.sums for one in day), NO_QUEUE_SUMS)),
        "agents": None
        if not agents or queue is not None or now.agents is None
        else {
            "states": dict(sorted(Counter(agent.bucket for agent in now.agents).items())),
            "agents": [
                {"agent_id": agent.agent_id, "account_id": agent.account_id, "state": agent.bucket,
                 "since_ts": agent.since_ts}
                for agent in now.agents[:MAX_AGENTS]
            ],
        },
    }  # fmt: skip


def _figures(sums: QueueSums) -> dict[str, object]:
    return {**sipio_figures(sums, sl_s=SERVICE_LEVEL_S), "longestWaitMs": sums.longest_wait_ms}


def _by_queue(calls: list[UpCall], *, by_link: bool) -> list[dict[str, object]]:
    """Return of each queue that calls are in: how many are up, talk and wait, and since when the first of these waits.

    Who waits in a queue that nothing names is counted as of none.
    """
    found: dict[tuple[str | None, str | None], list[UpCall]] = {}
    for call in calls:
        if call.queue_id is not None or call.waiting_since is not None:
            found.setdefault((call.queue_id, None if by_link else call.account_id), []).append(call)
    return [
        {
            "queue_id": queue_id,
            "account_id": account_id,
            "up": len(ours),
            "talking": sum(call.talking for call in ours),
            "waiting": sum(call.waiting_since is not None for call in ours),
            "waiting_ts": min((call.waiting_since for call in ours if call.waiting_since is not None), default=None),
        }
        for (queue_id, account_id), ours in found.items()
    ]
