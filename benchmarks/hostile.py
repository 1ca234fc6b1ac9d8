"""What an innocent call waits for its row while a neighbour makes a call of 20,000 legs, or legs of 60 kB each.

The switches are simulated, two on one listener; the innocent calls are played one after the other. Their waits are from
the hangup until the complete row is visible, found by asking every 5 ms.
"""

from collections.abc import Iterator

import psycopg

from benchmarks.database import database
from benchmarks.events import listen
from benchmarks.figure import Figure, at_most
from tests.acceptance.test_hostile_calls import LEGS_A_ROUND, ROUNDS, attacked, large, one_parent, waits_s
from tests.waiting import wait_until
from tollbook.simulator.thread import SwitchThread

_TIMEOUT_S = 300.0


def run(*, legs: int = ROUNDS * LEGS_A_ROUND, large_legs: int = 500, innocent: int = 40) -> Iterator[Figure]:
    """Yield the longest wait when it is quiet, and beside each attack, until so many legs were sent and right after."""
    for name, hostile, most in (("legs of one call", one_parent, legs), ("legs of 60 kB", large, large_legs)):
        with database() as settings, SwitchThread() as ours, SwitchThread() as neighbour:
            url = settings.require_database_url()
            with (
                listen(settings, [ours.address[1], neighbour.address[1]]),
                psycopg.connect(url, autocommit=True) as connection,
            ):
                for switch in (ours, neighbour):
                    switch.wait_for_subscriber(_TIMEOUT_S)
                waits_s(ours, connection, 3)
                quiet = waits_s(ours, connection, innocent)
                yield Figure(what=f"{name}: an innocent call's row, longest, quiet", value=max(quiet), unit="s")
                with attacked(neighbour, hostile) as sent:
                    during = waits_s(ours, connection, innocent)
                    wait_until(lambda sent=sent, most=most: sent[0] >= most, _TIMEOUT_S)
                    late = waits_s(ours, connection, innocent)
                of = f"{name}, {most:,} sent: an innocent call's row, longest"
                yield Figure(what=of, value=max(during + late), unit="s", bound=at_most(1))
