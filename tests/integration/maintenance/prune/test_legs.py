"""Legs stay two days longer than their calls, and a leg that comes after that costs only itself."""

import pytest

from maintenance.archive.run import archive_calls
from rating.engine import Tariffs
from tests import factories
from tests.databases import written_when_ended
from tests.integration.maintenance.prune.days import DAY, TODAY, archived, kept, noon_ms, pruned
from tollbook.config import Settings
from tollbook.errors import TooLate
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.store.calls.batch import write_batch
from tollbook.store.calls.poison import write_around_poison
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import LEGS, Partitions, standing_days
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY, US_PER_SECOND

SETTINGS = FoldSettings()


PRICER = Tariffs(decks={}).price


def leg(uid: str, day: int, *, ended: bool, parent: str = "", at_s: int = 0) -> Leg:
    """A leg that began at noon of a day, or seconds later; one that has ended took a minute."""
    start_us = noon_ms(day) * 1000 + at_s * US_PER_SECOND
    end_us = start_us + 60 * US_PER_SECOND if ended else None
    return factories.leg(uid, start_us=start_us, end_us=end_us, parent=parent, answered_us=start_us)


# With the day of this call the window moves on, past the days of the legs that are older.
LATER = leg("later", DAY, ended=True)


def write(url: str, *legs: Leg) -> None:
    with connect(url, name="listener") as connection:
        write_batch(connection, legs, SETTINGS, PRICER, Partitions())
        written_when_ended(connection)


def legs_kept(connection: Connection) -> set[str]:
    return {uid for (uid,) in connection.execute("SELECT uid FROM call_leg")}


def test_legs_go_two_days_after_their_calls(settings: Settings, database: Connection, database_url: str) -> None:
    write(database_url, *(leg(f"day {day - DAY}", day, ended=True) for day in range(DAY - 3, DAY + 2)))
    archive_calls(settings, now=True)
    pruned(settings)
    assert kept(database) == {"day 1"}
    assert legs_kept(database) == {"day -1", "day 0", "day 1"}
    assert read_window(database).leg_us == (DAY - 1) * MS_PER_DAY * 1000
    assert standing_days(database, LEGS)[0] == DAY - 1


def test_legs_that_are_kept_longer(settings: Settings, database: Connection, database_url: str) -> None:
    """Three days more: a late leg of a call whose row is gone is folded with all of them; after that it is refused."""
    longer = settings.model_copy(update={"leg_days": settings.retention_days + 3})
    write(database_url, *(leg(f"day {day - DAY}", day, ended=True) for day in range(DAY - 7, DAY + 2)))
    archive_calls(longer, now=True)
    pruned(longer)
    assert kept(database) == {"day 1"}
    assert legs_kept(database) == {f"day {number}" for number in range(-4, 2)}
    write(database_url, leg("child", DAY - 4, ended=True, parent="day -4", at_s=90))
    with pytest.raises(TooLate):
        write(database_url, leg("late", DAY - 5, ended=True, parent="day -5", at_s=90))
    archive_calls(longer, now=True)
    rows = {str(row[0]): row for row in archived(longer)}
    assert rows["day -4"][7] == rows["day -4"][5] + 150_000
    assert rows["day -5"][7] == rows["day -5"][5] + 60_000
    pruned(settings)
    assert legs_kept(database) == {"day -1", "day 0", "day 1"}


def test_a_call_of_forty_days_ends_as_any_other(settings: Settings, database: Connection, database_url: str) -> None:
    """Its row and its legs outlived their days; the hangup, and a leg that is new, find them."""
    write(database_url, leg("root", DAY - 9, ended=False), leg("short", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    assert (kept(database), legs_kept(database)) == ({"root"}, {"root", "later"})
    write(database_url, leg("root", DAY - 9, ended=True), leg("child", TODAY, ended=True, parent="root"))
    row = database.execute(
        "SELECT call_id, end_ts - start_ts, revision FROM call_cdr WHERE end_ts IS NOT NULL"
    ).fetchone()
    assert row == ("root", 40 * MS_PER_DAY + 60_000, 1)  # the child was the last to end
    archive_calls(settings, now=True)
    assert sorted(str(row[0]) for row in archived(settings)) == ["later", "root", "short"]
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    assert pruned(settings).late_deleted == 1
    assert legs_kept(database) == {"child", "later"}


def test_a_late_leg_of_a_call_whose_legs_are_there_corrects_the_archive(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """The row is gone, its legs are not: the row is folded again from all of them, and replaces the archived one."""
    write(database_url, leg("root", DAY, ended=True))
    archive_calls(settings, now=True)
    pruned(settings)
    assert kept(database) == set()
    write(database_url, leg("child", DAY, ended=True, parent="root", at_s=90))
    archive_calls(settings, now=True)
    (row,) = archived(settings)
    assert (row[0], row[7]) == ("root", row[5] + 150_000)


def test_a_leg_of_a_frozen_call_is_refused_and_costs_only_itself(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """Its call is archived whole; a row of this leg alone would take its place."""
    write(database_url, leg("root", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    late, fresh = leg("root", DAY - 9, ended=True), leg("fresh", TODAY, ended=True)
    with connect(database_url, name="listener") as connection:
        with pytest.raises(TooLate):
            write_batch(connection, [late], SETTINGS, PRICER, Partitions())
        _, refused = write_around_poison(connection, [late, fresh], SETTINGS, PRICER, Partitions())
    assert [(refusal.leg, refusal.late) for refusal in refused] == [(late, True)]
    assert kept(database) == {"fresh"}


def test_a_call_that_is_up_and_was_never_heard_of_is_taken_however_old(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """`show channels` lists a channel that has been up for forty days: it is no late leg."""
    write(database_url, leg("other", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    write(database_url, leg("zombie", DAY - 9, ended=False))
    write(database_url, leg("zombie", DAY - 9, ended=True))
    assert kept(database) == {"zombie"}
