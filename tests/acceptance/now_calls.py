"""What is up now, and what was today, for the dashboard's Now view and its wallboard; and who may see it."""

import time
from dataclasses import dataclass

import msgspec

from tests.databases import store
from tests.factories import NO_DETAILS, call
from tests.waiting_callers import wait_in
from tollbook.model.agents.change import AgentChange
from tollbook.model.details import Details
from tollbook.store import keys
from tollbook.store.agents.accounts import add_rules
from tollbook.store.agents.changes import AgentNews, write_news
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs

SECRET_NUMBER = "+4930999999"


@dataclass(kw_only=True)
class Now:
    """A database of calls that are up."""

    url: str
    keys: dict[str, str]

    def connect(self) -> Connection:
        return connect(self.url, name="test", autocommit=True)

    def wait(self, call_id: str, queue: str = "sales@acme", *, since_s: float = 0, account: str = "acme") -> int:
        """Let somebody wait, for so long already; return since when, epoch µs."""
        since_us = time.time_ns() // 1000 - round(since_s * 1_000_000)
        with self.connect() as database:
            wait_in(database, call_id, account, queue, "+49301234567" if account == "acme" else SECRET_NUMBER, since_us)
        return since_us

    def clear(self) -> None:
        """Take away acme's callers and all links, for the next test."""
        with self.connect() as database:
            database.execute("DELETE FROM call_cdr WHERE end_ts IS NULL AND account_id = 'acme'")
            database.execute("DELETE FROM wallboard_link")

    def hear_the_switch(self) -> None:
        """Who was not heard for a minute is unknown."""
        now_ms = time.time_ns() // 1_000_000
        process = SwitchProcess(core="c", address="a", switch="fs1", sequence=now_ms, seen_us=now_ms * 1000)
        with self.connect() as database:
            note(database, [process])


def _queued(wait_ms: int, talk_ms: int | None = 60_000) -> Details:
    return msgspec.structs.replace(NO_DETAILS, wait_ms=wait_ms, talk_ms=talk_ms)


def fill(url: str) -> Now:
    """Store of acme: in sales@acme eight calls answered and two abandoned today, in support@acme one; two agents.

    Of other: a call that waits in other@other, and an agent.
    """
    now_ms = time.time_ns() // 1_000_000
    with connect(url, name="test", autocommit=True) as database:
        for account in ("acme", "other"):
            tariffs.add_account(database, tariffs.Account(account_id=account, name=account, plan_id=None))
        of_queue = {"start_ts": now_ms - 1000, "end_ts": now_ms, "direction": "inbound"}
        lost = {"answered": 0, "answer_ts": None, "billsec": 0, "disposition": "abandoned", "agent_id": None}
        sales = of_queue | {"queue_id": "sales@acme", "agent_id": "ann@acme"}
        store(
            database,
            *(call(f"served{n}", **sales, details=_queued(8_000)) for n in range(8)),
            *(call(f"lost{n}", **sales | lost, details=_queued(95_000, talk_ms=None)) for n in range(2)),
            call("helped", **of_queue, queue_id="support@acme", agent_id="bob@acme", details=_queued(3_000)),
            call("theirs", account_id="other", **of_queue, queue_id="other@other", agent_id="eve@other",
                 details=_queued(3_000)),
        )  # fmt: skip
        said = [("ann@acme", "Waiting"), ("bob@acme", "In a queue call"), ("eve@other", "Waiting")]
        write_news(
            database,
            AgentNews(
                changes=[
                    AgentChange("fs1", agent, kind, (now_ms - 90_000) * 1000, number, value)
                    for number, (agent, state) in enumerate(said, 1)
                    for kind, value in (("status", "Available"), ("state", state))
                ]
            ),
        )
        for account in ("acme", "other"):
            add_rules(database, account, [f"@{account}"])
        secrets = {
            "acme": keys.create(database, account_id="acme", scopes=["cdr", "queues", "agents"])[1],
            "other": keys.create(database, account_id="other", scopes=["cdr", "queues", "agents"])[1],
            "calls": keys.create(database, account_id="acme", scopes=["cdr"])[1],
            "operator": keys.create(database, account_id=None, scopes=["operator"])[1],
        }
    made = Now(url=url, keys=secrets)
    made.wait("theirs-waits", "other@other", since_s=20, account="other")
    made.hear_the_switch()
    return made
