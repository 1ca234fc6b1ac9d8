"""What was heard of agents and is not written yet; and the list of them that a switch is asked for.

In memory alone, and bounded: an agent's state says nothing of a call, and what is lost with the process is known to be
lost. Its signs of life are not written before what was heard until then, and what follows the last one is unknown.
"""

from collections.abc import Callable, Iterable
from typing import Final

from tollbook.model.agents.change import AgentChange, parse_agent_list
from tollbook.model.event import SwitchEvent
from tollbook.model.record import Row
from tollbook.store.agents.accounts import Served
from tollbook.store.agents.changes import AgentList, AgentNews, HearingBegan
from tollbook.times import MS_PER_DAY, US_PER_MS, clock_us

#: A quarter of an hour of 1,000 agents, each with three changes a call and a call every three minutes: 5 MB.
MAX_CHANGES: Final = 20_000
# Of each switch. One that is connected anew so often while PostgreSQL is away has heard little between.
_MAX_BEGAN: Final = 20

# Some 20 MB. Then what is known is written once more.
_MAX_SERVED: Final = 100_000

_LIST: Final = "callcenter_config agent list"
_NAME: Final = "switchname"
_CLOCK: Final = "strmicroepoch"
_LONGEST_NAME: Final = 256
_DIGITS: Final = 16

Api = Callable[[str], str]


class ServedAgents:
    """For whom agents were seen to work, and is not written yet: each account once a day."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str, str, str, int]] = set()
        self.waiting: list[Served] = []

    def add_phone(self, event: SwitchEvent, switch: str) -> None:
        """Take the account that an agent's leg states when the agent is connected with a caller."""
        if event.cc_action == "bridge-agent-start" and event.agent and event.account:
            self._add(Served(switch, event.agent, "phone", event.account, event.at_us // US_PER_MS))

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Take the rows of calls from outside that an agent handled."""
        for row in rows:
            if row.agent_id and row.account_id and row.direction == "inbound" and row.end_ts is not None:
                self._add(Served(row.switch, row.agent_id, "calls", row.account_id, row.start_ts))

    def _add(self, served: Served) -> None:
        key = (*served[:-1], served.at_ms // MS_PER_DAY)
        if key not in self._known and len(self.waiting) < _MAX_SERVED:
            if len(self._known) >= _MAX_SERVED:
                self._known.clear()
            self._known.add(key)
            self.waiting.append(served)

    def written(self, count: int) -> None:
        """Forget the first that waited: they are written."""
        del self.waiting[:count]


class AgentInbox:
    """What waits for the writer. When there is too much, what follows is dropped, and its time becomes unknown."""

    def __init__(self, max_changes: int = MAX_CHANGES) -> None:
        self._max_changes = max_changes
        self._began: list[HearingBegan] = []
        self._changes: list[AgentChange] = []
        self._lists: dict[str, AgentList] = {}
        self._lost_since_us: dict[str, int] = {}
        #: For whom agents work, which is no part of what waits.
        self.served = ServedAgents()

    def __len__(self) -> int:
        return len(self._changes)

    @property
    def waits(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._began or self._changes or self._lists or self._lost_since_us or self.served.waiting)

    def begin(self, address: str, heard_us: int) -> None:
        """Note that a switch is heard again, for the first time since `heard_us` (0: since another process did)."""
        of_switch = [place for place, began in enumerate(self._began) if began.address == address]
        # The oldest but the first, which says since when nothing is known.
        for place in reversed(of_switch[1 : len(of_switch) - _MAX_BEGAN + 2]):
            del self._began[place]
        self._began.append(HearingBegan(address=address, heard_us=heard_us))

    def put(self, address: str, changes: Iterable[AgentChange]) -> int:
        """Add changes; return how many were dropped, because too many wait."""
        dropped = 0
        for change in changes:
            if len(self._changes) < self._max_changes:
                self._changes.append(change)
            else:
                dropped += 1
                self._lost_since_us.setdefault(address, change.at_us)
        return dropped

    def put_list(self, listed: AgentList) -> None:
        """Add what a switch lists; only its newest list counts."""
        self._lists[listed.switch] = listed

    def take(self) -> AgentNews:
        """Remove and return all that waits."""
        lost = [HearingBegan(address=address, heard_us=lost_us) for address, lost_us in self._lost_since_us.items()]
        # A list from before the last change that was lost would end its gap too early.
        lists = [] if lost else [*self._lists.values()]
        news = AgentNews(began=[*self._began, *lost], changes=self._changes, lists=lists)
        self._began, self._changes, self._lists, self._lost_since_us = [], [], {}, {}
        return news

    def put_back(self, news: AgentNews) -> None:
        """Return what could not be written, to the front."""
        self._began = [*news.began, *self._began]
        self._changes = [*news.changes, *self._changes]
        self._lists = {**{listed.switch: listed for listed in news.lists}, **self._lists}


def ask_for_agents(api: Api, heard_us: int) -> AgentList | None:
    """Ask a switch for its agents; None when it has none, or does not say.

    `heard_us`: the time of its last event, for one that does not tell its clock. Raises SwitchUnavailable.
    """
    switch = api(_NAME).strip()
    if not 0 < len(switch) <= _LONGEST_NAME or switch.startswith("-") or not switch.isprintable():
        return None
    # First the clock: a change that is heard after it counts more than what the list said of the agent.
    told = api(_CLOCK).strip()
    at_us = clock_us(int(told)) if told.isascii() and told.isdigit() and len(told) <= _DIGITS else 0
    agents = parse_agent_list(api(_LIST))
    at_us = at_us or heard_us
    return AgentList(switch=switch, at_us=at_us, agents=agents) if agents and at_us else None
