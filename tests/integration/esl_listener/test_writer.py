"""The writer on a real database: what fails on one leg costs that leg alone."""

import logging
from pathlib import Path

import pytest

import esl_listener.agent_writer
import esl_listener.writer
import tollbook.store.calls.batch_plan
from esl_listener.agents import AgentInbox
from esl_listener.dead_letter import load_all
from esl_listener.inbox import Inbox
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics
from esl_listener.spool import Spool
from esl_listener.spooler import Spooler
from esl_listener.tariff_cache import TariffCache
from esl_listener.writer import Writer
from tollbook.errors import StoreUnavailable
from tollbook.log import Outage
from tollbook.model.agents.change import AgentChange
from tollbook.model.call_leg import CallLeg
from tollbook.model.call_tree import Call
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Facts, Leg
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules
from tollbook.store.agents.changes import AgentNews
from tollbook.store.calls.switch_processes import SwitchProcess
from tollbook.store.database import Connection, TimeLimits, connect, scalar

START_US = 1_700_000_000_000_000


def leg(number: int) -> Leg:
    return Leg(switch="fs", uid=f"leg-{number}", created_us=START_US + number, core="old", create=Facts(caller="1001"))


class Listener:
    """A writer and what stands around it, without a switch."""

    def __init__(self, url: str, folder: Path) -> None:
        self.inbox, self.liveness, self.metrics, self.agents = Inbox(), Liveness(), Metrics(), AgentInbox()
        self.spool = Spool(folder / "spool", 1 << 30)
        self.spool.open()
        dead_letters = folder / "dead-letters"
        outage = Outage(logging.getLogger("tollbook.test"))
        spooler = Spooler(self.inbox, self.spool, self.metrics, dead_letters, outage)
        tariff_cache = TariffCache(url, TrunkRules(), self.metrics, outage)
        self.writer = Writer(
            url, self.inbox, spooler, self.liveness, tariff_cache, self.metrics, folder, outage, self.agents
        )

    def write(self) -> None:
        """Write everything that waits in the inbox, as at SIGTERM."""
        self.writer.stop()
        self.writer.run()
        self.spool.close()


def test_a_leg_that_a_rule_fails_on_holds_nobody_up(
    database_url: str, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours that one leg brings out makes that leg a dead letter with the reason; its batch is written."""

    def failing(call: Call, settings: FoldSettings, switch: str, other: CallLeg | None) -> Row:
        if call.call_id == "leg-3":
            raise ZeroDivisionError("one leg too strange")
        return fold(call, settings, switch, other)

    monkeypatch.setattr(tollbook.store.calls.batch_plan, "fold", failing)
    listener = Listener(database_url, tmp_path)
    for number in range(7):
        listener.inbox.put(leg(number))
    listener.write()
    rows = database.execute("SELECT call_id FROM call_cdr ORDER BY call_id").fetchall()
    assert rows == [(f"leg-{number}",) for number in range(7) if number != 3]
    (letter,) = load_all(tmp_path / "dead-letters")
    assert (letter.leg, letter.reason) == (leg(3), "ZeroDivisionError: one leg too strange")
    assert listener.metrics.legs_set_aside == 1


def test_no_sign_of_life_is_written_before_what_was_heard_of_agents(
    database_url: str, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is killed between the two, no time that nobody heard looks as if it had been heard."""

    def failing(connection: Connection, news: AgentNews) -> int:
        raise StoreUnavailable("killed")

    listener = Listener(database_url, tmp_path)
    process = SwitchProcess(core="c", address="a", switch="fs", sequence=1, seen_us=START_US)
    listener.liveness.note(process)
    listener.agents.put("a", [AgentChange("fs", "bob", "status", START_US, 1, "Available")])
    with monkeypatch.context() as patch:
        patch.setattr(esl_listener.agent_writer, "write_news", failing)
        listener.write()
    assert scalar(database, "SELECT count(*) FROM switch_process") == 0
    assert len(listener.agents) == 1


def test_agents_hold_up_no_call(
    database_url: str, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody holds the agents' table, calls are written all the same, and what was heard of agents waits."""
    monkeypatch.setattr(esl_listener.writer, "TIME_LIMITS", TimeLimits(lock_s=0.2, statement_s=5))
    listener = Listener(database_url, tmp_path)
    listener.inbox.put(leg(1))
    listener.agents.put("a", [AgentChange("fs", "bob", "status", START_US, 1, "Available")])
    with connect(database_url, name="test") as other:
        other.execute("LOCK TABLE agent_state")
        listener.write()
        other.rollback()
    assert scalar(database, "SELECT count(*) FROM call_cdr") == 1
    assert (len(listener.inbox), len(listener.agents)) == (0, 1)
