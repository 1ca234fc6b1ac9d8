"""Large and numerous legs: a batch takes what it takes, and never hangs."""

import threading

from tests.recorded import SWITCH
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Facts, Leg
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import US_PER_SECOND

T0_US = 1_795_433_986 * US_PER_SECOND


def test_a_batch_of_many_megabytes_is_written(database: Connection) -> None:
    """500 legs of 60 kB, as an older spool may still hold them: client and server never wait for each other."""
    number = "5" * 60_000
    legs = [
        Leg(switch=SWITCH, uid=f"leg-{count}", created_us=T0_US + count, create=Facts(caller=number, dialed="2000"))
        for count in range(500)
    ]

    def write() -> None:
        write_batch(database, legs, FoldSettings(), lambda _: Price(cost_micros=0), Partitions())

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(60)
    hangs = writing.is_alive()
    if hangs:
        database.cancel()  # so that the test ends
    assert not hangs
    assert database.execute("SELECT count(*), min(length(from_num)) FROM call_cdr").fetchone() == (500, 60_000)
