"""Large legs, many legs of one call or id, and many days: a batch's work is bounded."""

import os
import socket
import threading
from collections.abc import Sequence

import pytest

from tests.commands import Tollbook
from tests.recorded import SWITCH
from tollbook.errors import ClockAhead
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Facts, Leg, LegKey
from tollbook.model.parent import Parent
from tollbook.store.calls.batch import Written, write_batch
from tollbook.store.calls.legs import MAX_CALL_LEGS, related
from tollbook.store.calls.poison import write_around_poison
from tollbook.store.database import Connection, scalar
from tollbook.store.days.partitions import CALLS as CALL_DAYS
from tollbook.store.days.partitions import DAYS_AHEAD, Partitions, begin_days, make_ready, standing_days
from tollbook.store.days.partitions import LEGS as LEG_DAYS
from tollbook.times import MS_PER_DAY, US_PER_DAY, US_PER_SECOND, current_day

T0_US = 1_795_433_986 * US_PER_SECOND


def price(_: object) -> Price:
    return Price(cost_micros=0, parts=())


def leg(uid: str, at_us: int = T0_US, *, parent: str = "", ended: bool = False, **facts: str) -> Leg:
    said = Facts(at_us=at_us, caller="1000", parent=Parent(parent, "originator") if parent else None)
    end = Facts(at_us=at_us, hangup_us=at_us + US_PER_SECOND, cause="NO_ANSWER", parent=said.parent) if ended else None
    return Leg(switch=SWITCH, uid=uid, created_us=at_us, create=said, end=end)


def write(database: Connection, legs: Sequence[Leg]) -> list[Written]:
    """Write the legs in batches of 500, as the listener does."""
    partitions = Partitions()
    return [
        write_batch(database, legs[begin : begin + 500], FoldSettings(), price, partitions)
        for begin in range(0, len(legs), 500)
    ]


def read(database: Connection, *wanted: LegKey) -> tuple[set[LegKey], set[LegKey]]:
    """Return the keys of the legs that a batch with these reads, and of those beyond the ones that count."""
    found = related(database, wanted)
    database.rollback()
    return set(found.counted), set(found.uncounted)


def test_a_batch_of_many_megabytes_is_written(database: Connection) -> None:
    """500 legs of 60 kB, as an older spool may still hold them: client and server never wait for each other."""
    facts = Facts(caller="5" * 60_000, dialed="2000")
    legs = [Leg(switch=SWITCH, uid=f"leg-{count}", created_us=T0_US + count, create=facts) for count in range(500)]
    writing = threading.Thread(target=write, args=(database, legs), daemon=True)
    writing.start()
    writing.join(60)
    hangs = writing.is_alive()
    if hangs:  # end the wait, or the test never ends
        with socket.socket(fileno=os.dup(database.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    assert not hangs
    assert database.execute("SELECT count(*), min(length(from_num)) FROM call_cdr").fetchone() == (500, 60_000)


def test_a_batch_reads_no_more_of_a_call_than_counts(database: Connection) -> None:
    """Of a call with 500 legs too many each leg is stored, and a batch reads what counts and the legs that it names."""
    root = leg("root")
    legs = [leg(f"leg-{count}", T0_US + 1 + count, parent="root") for count in range(MAX_CALL_LEGS + 500)]
    written = write(database, [root, *legs])
    assert sum(batch.uncounted for batch in written) == 501  # the root counts too
    assert scalar(database, "SELECT count(*) FROM call_leg WHERE call_id = 'root'") == MAX_CALL_LEGS + 501
    counted, beyond = read(database, legs[-1].key, (SWITCH, "root", legs[-1].created_us))
    assert counted == {known.key for known in (root, *legs[: MAX_CALL_LEGS - 1])}
    assert beyond == {legs[-1].key}


def test_the_row_of_a_call_with_too_many_legs_is_that_of_those_that_count(database: Connection) -> None:
    """It is complete when these have ended, whatever the others do, and its later legs make no rows of their own."""
    count = MAX_CALL_LEGS + 500
    write(
        database, [leg("root"), *(leg(f"leg-{n}", T0_US + 1 + n, parent="root", ended=n < 1999) for n in range(count))]
    )
    below = leg("below", T0_US + count + 2, parent=f"leg-{count - 1}")
    write(database, [below])
    write(database, [leg("below that", T0_US + count + 3, parent="below")])
    assert database.execute("SELECT call_id, end_ts FROM call_cdr").fetchall() == [("root", None)]
    last = leg("last", T0_US + count + 4, parent="root")
    (ended,) = write(database, [leg("root", ended=True), last])
    assert [(row.call_id, row.hangup_cause) for row, _ in ended.rows] == [("root", "NO_ANSWER")]
    assert database.execute("SELECT call_id, end_ts IS NULL FROM call_cdr").fetchall() == [("root", False)]
    # The end of an uncounted leg is kept with it, and changes nothing.
    (late,) = write(database, [leg(f"leg-{count - 1}", T0_US + count, parent="root", ended=True)])
    assert (late.rows, late.legs, late.uncounted) == ((), 1, 0)
    assert scalar(database, "SELECT count(*) FROM call_leg WHERE call_id = 'root'") == count + 4
    assert scalar(database, "SELECT count(*) FROM call_leg WHERE ended") == 1999 + 2


def test_a_call_with_all_the_legs_that_count_is_recovered_and_ends(database: Connection) -> None:
    """The record of a recovered leg is no further leg, although it is the newest of the call's."""
    legs = [leg(f"leg-{n}", T0_US + 1 + n, parent="root", ended=True) for n in range(MAX_CALL_LEGS - 1)]
    write(database, [leg("root"), *legs])
    at_us = T0_US + 10 * US_PER_SECOND
    facts = Facts(at_us=at_us, caller="1000", recovered=True)
    back = Leg(switch=SWITCH, uid="root", created_us=at_us, create=facts)
    write(database, [back])
    end = Facts(at_us=at_us, recovered=True, hangup_us=at_us + US_PER_SECOND, cause="NORMAL_CLEARING")
    write(database, [Leg(switch=SWITCH, uid="root", created_us=at_us, end=end)])
    rows = database.execute("SELECT call_id, end_ts, hangup_cause FROM call_cdr").fetchall()
    assert rows == [("root", (at_us + US_PER_SECOND) // 1000, "NORMAL_CLEARING")]


def test_a_batch_reads_few_lives_of_an_id_that_is_used_again_and_again(database: Connection) -> None:
    """3,000 calls with one id, one a second: each has its row, and a batch reads the nearest and the oldest."""
    lives = [leg("same", T0_US + count * US_PER_SECOND, ended=True) for count in range(3_000)]
    write(database, lives)
    assert scalar(database, "SELECT count(*) FROM call_cdr WHERE call_id = 'same' AND end_ts IS NOT NULL") == 3_000
    counted, beyond = read(database, lives[1_500].key)
    assert counted == {lives[number].key for number in (0, 1_499, 1_500, 1_501)}
    assert beyond == set()


def test_old_days_share_the_late_partitions(database: Connection) -> None:
    """Calls of 1,000 days before the retention make no partition, and each has its row and its legs."""
    database.autocommit = True
    today = current_day()
    begin_days(database, today - 30)
    make_ready(database)
    before = standing_days(database, CALL_DAYS), standing_days(database, LEG_DAYS)
    database.autocommit = False
    days = range(today - 1_031, today - 31)
    write(database, [leg(f"call-{day}", day * US_PER_DAY + US_PER_DAY // 2, ended=True) for day in days])
    write(database, [leg("now", (today - 30) * US_PER_DAY)])
    assert scalar(database, "SELECT count(*) FROM call_cdr_late WHERE end_ts IS NOT NULL") == 1_000
    assert scalar(database, "SELECT count(*) FROM call_leg_late") == 1_000
    # Nothing was pruned: PostgreSQL has all calls there are.
    assert database.execute("SELECT window_start, leg_start FROM hot_window").fetchone() == (0, 0)
    after = standing_days(database, CALL_DAYS), standing_days(database, LEG_DAYS)
    assert after == ([today - 30, *before[0]], [today - 30, *before[1]])


def test_a_new_database_begins_a_month_before_the_retention(tollbook: Tollbook, database: Connection) -> None:
    """`db upgrade` sets the first day once; a day that is only just overdue has a partition, which prune can drop."""
    today = current_day()
    for retention in ("1", "300"):
        assert tollbook("db", "upgrade", retention_days=retention).returncode == 0
        query = "SELECT calls_late_until, legs_late_until FROM hot_window"
        assert database.execute(query).fetchone() == ((today - 31) * MS_PER_DAY, (today - 31) * US_PER_DAY)
        database.rollback()
    write(database, [leg("overdue", (today - 5) * US_PER_DAY), leg("old", (today - 32) * US_PER_DAY)])
    assert today - 5 in standing_days(database, CALL_DAYS)
    assert scalar(database, "SELECT string_agg(call_id, ',') FROM call_cdr_late") == "old"


def test_days_begin_only_once(database: Connection) -> None:
    """A day that has a partition keeps it, and the late partitions end before it."""
    database.autocommit = True
    today = current_day()
    Partitions().ensure(database, call_days=[today - 400], leg_days=[today - 400])
    begin_days(database, today - 30)
    assert database.execute("SELECT calls_late_until, legs_late_until FROM hot_window").fetchone() == (0, 0)
    assert standing_days(database, CALL_DAYS) == standing_days(database, LEG_DAYS) == [today - 400]


def test_calls_of_the_future_are_refused_and_the_others_written(database: Connection) -> None:
    """A clock years ahead makes no partitions; the legs of other switches in the same batch are written."""
    limit_us = (current_day() + DAYS_AHEAD + 1) * US_PER_DAY
    good = [leg("now"), leg("last", limit_us - 1)]
    bad = [leg(f"bad-{year}", limit_us + year * 365 * US_PER_DAY) for year in range(70)]
    with pytest.raises(ClockAhead, match="set the clock of the switch"):
        write_batch(database, [*good, *bad], FoldSettings(), price, Partitions())
    written, refused = write_around_poison(database, [*bad, *good], FoldSettings(), price, Partitions())
    assert {row.call_id for row, _ in written.rows} == {"now", "last"}
    assert {refusal.leg.uid for refusal in refused} == {leg.uid for leg in bad}
    assert not any(refusal.late for refusal in refused)
    assert len(standing_days(database, CALL_DAYS)) == 2
