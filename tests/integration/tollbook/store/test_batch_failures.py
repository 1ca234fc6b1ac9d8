"""A batch that PostgreSQL or the network refuses costs only the leg that is at fault."""

import psycopg
import pytest

from tests.factories import SECOND_US
from tests.integration.tollbook.store.batches import leg, price, table, write
from tests.recorded import SWITCH
from tollbook.errors import DataError, StoreUnavailable
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Facts, Leg
from tollbook.store.calls.poison import write_around_poison
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions

FAR_US = 4_000_000_000 * SECOND_US  # 2096: with a start in 2000 the seconds do not fit an integer


POISON = {
    "NUL in the id": leg("poi\0son", 1, end_s=2),
    "NUL in a number": leg("poison", 1, end_s=2, dialed="2\0"),
    "lone surrogate": leg("poison", 1, end_s=2, caller="\ud800"),
    "absurd duration": Leg(
        switch=SWITCH,
        uid="poison",
        created_us=946_684_800_000_000,
        create=Facts(dialed="1"),
        end=Facts(hangup_us=FAR_US),
    ),
}


@pytest.mark.parametrize("kind", POISON)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_bad_leg_costs_only_itself(database: Connection, kind: str, place: int) -> None:
    good = [leg(f"good{number}", number, end_s=20) for number in range(6)]
    batch = [*good[:place], POISON[kind], *good[place:]]
    written, refused = write_around_poison(database, batch, FoldSettings(), price, Partitions())
    assert [refusal.leg for refusal in refused] == [POISON[kind]]
    assert refused[0].reason
    assert sorted(row.call_id for row, _ in written.rows) == [f"good{number}" for number in range(6)]
    assert [row["call_id"] for row in table(database)] == [f"good{number}" for number in range(6)]
    assert len(table(database, "SELECT * FROM call_leg")) == 6


def test_a_refused_batch_writes_nothing_and_leaves_the_connection_usable(database: Connection) -> None:
    with pytest.raises(DataError):
        write(database, [leg("a", end_s=5), POISON["absurd duration"]])
    assert database.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert table(database) == []
    write(database, [leg("a", end_s=5)])
    assert len(table(database)) == 1


def test_a_day_dropped_behind_our_back_is_made_again(database: Connection) -> None:
    """The writer remembers which days are ready; a prune in between must not make good legs dead letters."""
    partitions = Partitions()
    write(database, [leg("a", end_s=5)], partitions)
    days = table(
        database,
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent IN ('call_cdr'::regclass, 'call_leg'::regclass)",
    )
    for day in days:
        database.execute(f"DROP TABLE {day['name']}")
    database.commit()
    written, refused = write_around_poison(
        database, [leg("a", end_s=5), leg("b", end_s=5)], FoldSettings(), price, partitions
    )
    assert refused == []
    assert len(written.rows) == 2
    assert len(table(database)) == 2


def test_a_connection_that_breaks_loses_nothing(database: Connection, database_url: str) -> None:
    """StoreUnavailable: none of the batch is stored, and the same batch can be written again."""
    batch = [leg("a", end_s=5), leg("b", end_s=5)]
    with connect(database_url, name="doomed") as doomed:
        partitions = Partitions()
        write(doomed, [leg("before", end_s=1)], partitions)
        database.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))
        database.commit()
        with pytest.raises(StoreUnavailable):
            write(doomed, batch, partitions)
    assert [row["call_id"] for row in table(database)] == ["before"]
    write(database, batch)
    assert [row["call_id"] for row in table(database)] == ["a", "b", "before"]
