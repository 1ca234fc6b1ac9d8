"""`tollbook statement --all --issue` is killed at random points: a statement for each account, no number is missing."""

import hashlib
import random
import signal
import time

import pytest

from tests.commands import Start, Tollbook
from tests.databases import store
from tests.factories import call
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import instant

ACCOUNTS = 40
# Longer than the command takes on a quiet machine, so that some kills come when it has issued a part.
LONGEST_S = 4.0


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_killed_at_random_points(start: Start, tollbook: Tollbook, database: Connection, kills: int) -> None:
    """Every statement is whole, and the numbers are 1 to as many as there are accounts."""
    seed = random.SystemRandom().randrange(10**9)
    chance = random.Random(seed)
    database.autocommit = True
    names = [f"a{number:03}" for number in range(ACCOUNTS)]
    for name in names:
        tariffs.add_account(database, tariffs.Account(account_id=name, name=name, plan_id=None))
    store(database, *(call(name, name, instant("2026-08-05")) for name in names))
    asked = ("statement", "--all", "--month", "2026-08", "--issue")
    for _ in range(kills):
        running = start(*asked, issuer_name="Tele GmbH")
        time.sleep(chance.uniform(0.5, LONGEST_S))  # time itself is tested: any moment may be the last
        running.stop(signal.SIGKILL)
        rows = database.execute("SELECT number FROM statement ORDER BY number").fetchall()
        assert [number for (number,) in rows] == list(range(1, len(rows) + 1)), f"seed {seed}"
    done = tollbook(*asked, issuer_name="Tele GmbH")
    assert (done.returncode, done.stdout) == (
        0,
        f"2026-08: {ACCOUNTS} statements are issued, 0 accounts had no calls\n",
    )
    found = database.execute("SELECT account_id, number, content, sha256 FROM statement ORDER BY number").fetchall()
    assert sorted(account for account, *_ in found) == names
    assert [number for _, number, *_ in found] == list(range(1, ACCOUNTS + 1))
    assert all(hashlib.sha256(content.encode()).hexdigest() == sha256 for *_, content, sha256 in found)
