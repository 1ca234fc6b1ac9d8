"""The writer on a real database: what fails on one leg costs that leg alone."""

from pathlib import Path

import pytest

import tollbook.store.calls.batch_plan
from esl_listener.dead_letter import load_all
from esl_listener.inbox import Inbox
from esl_listener.liveness import Liveness
from esl_listener.metrics import Metrics
from esl_listener.spool import Spool
from esl_listener.spooler import Spooler
from esl_listener.tariff_cache import TariffCache
from esl_listener.writer import Writer
from tollbook.model.call_tree import Call
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Facts, Leg
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules
from tollbook.store.database import Connection

START_US = 1_700_000_000_000_000


def leg(number: int) -> Leg:
    return Leg(switch="fs", uid=f"leg-{number}", created_us=START_US + number, core="old", create=Facts(caller="1001"))


class Listener:
    """A writer and what stands around it, without a switch."""

    def __init__(self, url: str, folder: Path) -> None:
        self.inbox, self.liveness, self.metrics = Inbox(), Liveness(), Metrics()
        self.spool = Spool(folder / "spool", 1 << 30)
        self.spool.open()
        dead_letters = folder / "dead-letters"
        spooler = Spooler(self.inbox, self.spool, self.metrics, dead_letters)
        tariff_cache = TariffCache(url, TrunkRules())
        self.writer = Writer(url, self.inbox, spooler, self.liveness, tariff_cache, self.metrics, dead_letters)

    def write(self) -> None:
        """Write everything that waits in the inbox, as at SIGTERM."""
        self.writer.stop()
        self.writer.run()
        self.spool.close()


def test_a_leg_that_a_rule_fails_on_holds_nobody_up(
    database_url: str, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours that one leg brings out makes that leg a dead letter with the reason; its batch is written."""

    def failing(call: Call, settings: FoldSettings, switch: str) -> Row:
        if call.call_id == "leg-3":
            raise ZeroDivisionError("one leg too strange")
        return fold(call, settings, switch)

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
