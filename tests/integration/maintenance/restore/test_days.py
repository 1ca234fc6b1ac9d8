"""`tollbook archive restore` brings archived calls back to PostgreSQL, exactly as they are archived."""

import re
import time

import pytest

from maintenance.prune.run import prune_days
from maintenance.restore.run import restore_days
from tests.archiving import archive_as_before, archive_now, archived, stored, waiting
from tests.databases import store
from tests.factories import BUSY, DETAILS, UP, Call
from tests.factories import call as factory_call
from tollbook.config import Settings
from tollbook.errors import ArchiveLost, UsageError
from tollbook.store.database import Connection
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY

TODAY = int(time.time()) // 86_400
FIRST = TODAY - 33  # three days are older than the retention of 30


def call(name: str, day: int, account: str | None = "acme", **changed: object) -> Call:
    return factory_call(name, account, day * MS_PER_DAY + MS_PER_DAY // 2, **changed)


def put(connection: Connection, *calls: Call) -> None:
    store(connection, *calls, with_legs=True)


@pytest.fixture
def pruned(settings: Settings, database: Connection) -> list[tuple[object, ...]]:
    """A database whose three oldest days are in the archive alone; all calls as they were before."""
    put(
        database,
        *(call(f"c{day}", day) for day in range(FIRST, FIRST + 5)),
        call("detailed", FIRST + 1, details=DETAILS, trunk_root=True),
        call("unrated", FIRST + 2, cost_micros=None),
        call("nobody's", FIRST + 2, None, **BUSY),
        call("open", FIRST + 2, **UP),
    )
    archive_now(settings)
    before = full(database)
    prune_days(settings, today=TODAY)
    assert read_window(database).start_ts == (FIRST + 3) * MS_PER_DAY
    return before


def full(connection: Connection) -> list[tuple[object, ...]]:
    """Every row with all that is archived of it, and when there is a price, why there is none."""
    return connection.execute(
        "SELECT call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,"
        " answered, disposition, hangup_cause, queue_id, agent_id, cost_micros, switch, revision, estimated,"
        " parts::text, currency, hung_up_by, pdd_ms, ring_ms, wait_ms, talk_ms, hold_ms, rx_mos, codec, sip_call_id,"
        " source_ip, gateway, sip_status, destination, recordings, voicemail, vars, imported, trunk_root,"
        " unrated IS NULL"
        " FROM call_cdr ORDER BY start_ts, call_id, switch"
    ).fetchall()


def test_a_day_comes_back_row_by_row(
    settings: Settings, database: Connection, pruned: list[tuple[object, ...]]
) -> None:
    """As archived, and late calls with it; the archive gets nothing to do, and a second time nothing changes."""
    report = restore_days(settings, [FIRST, FIRST + 2, FIRST + 1])
    assert (report.restored.rows, report.restored.sent, report.overdue) == (6, 0, 3)
    assert full(database) == pruned
    assert read_window(database).start_ts == FIRST * MS_PER_DAY
    assert standing_days(database, CALLS)[:3] == [FIRST, FIRST + 1, FIRST + 2]
    assert database.execute("SELECT count(*) FROM call_cdr_late").fetchone() == (0,)
    assert waiting(database) == 0
    assert restore_days(settings, [FIRST + 1]).restored.rows == 0
    assert full(database) == pruned


def test_prune_drops_a_restored_day_again(
    settings: Settings, database: Connection, pruned: list[tuple[object, ...]]
) -> None:
    del pruned
    whole = archived(settings)
    restore_days(settings, [FIRST + 1, FIRST + 2])
    assert prune_days(settings, today=TODAY).days == 2
    assert read_window(database).start_ts == (FIRST + 3) * MS_PER_DAY
    assert archived(settings) == whole


@pytest.mark.usefixtures("pruned")
def test_a_day_that_does_not_adjoin_is_refused(settings: Settings, database: Connection) -> None:
    """Nothing is changed, also of the other days that were named, and the message says which to restore."""
    before = full(database)
    for days in ([FIRST + 1], [FIRST + 2, FIRST]):
        with pytest.raises(UsageError, match=r"does not adjoin .* restore 2\d\d\d-\d\d-\d\d first"):
            restore_days(settings, days)
    assert full(database) == before


@pytest.mark.usefixtures("pruned")
def test_rows_that_the_window_lacks_come_back_and_prune_goes_on(settings: Settings, database: Connection) -> None:
    day = FIRST + 3
    before = full(database)
    database.execute("DELETE FROM call_cdr WHERE call_id = %s", (f"c{day}",))
    put(database, call("new", day))
    assert restore_days(settings, [day]).restored.rows == 1
    archive_now(settings)
    assert [row for row in full(database) if row[0] != "new"] == before
    assert prune_days(settings, today=TODAY + 1).days == 1


@pytest.mark.usefixtures("pruned")
def test_a_row_that_was_damaged_is_made_good_and_one_that_has_changed_stays(
    settings: Settings, database: Connection
) -> None:
    day = FIRST + 3
    put(database, call("changed", day), call("damaged", day), call("deleted", day))
    archive_now(settings)
    before = [row for row in full(database) if row[0] == "damaged"]
    put(database, call("changed", day, cost_micros=7))
    database.execute("UPDATE call_cdr SET cost_micros = 8 WHERE call_id = 'damaged'")
    database.execute(
        "WITH gone AS (DELETE FROM call_cdr WHERE call_id = 'deleted' RETURNING *) INSERT INTO archive_outbox"
        " (start_ts, call_id, switch, account_id, deleted) SELECT start_ts, call_id, switch, account_id, true FROM gone"
    )
    assert restore_days(settings, [day]).restored.rows == 1
    assert [row for row in full(database) if row[0] == "damaged"] == before
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced, 1 deleted")
    in_window = [row for row in archived(settings) if int(str(row[5])) >= day * MS_PER_DAY]
    assert in_window == [row for row in stored(database) if row[7] is not None]


@pytest.mark.usefixtures("pruned")
def test_what_the_archive_lacks_is_sent_there(settings: Settings, database: Connection) -> None:
    """A row that the outbox has forgotten, and that no run would ever archive."""
    day = FIRST + 3
    put(database, call("lost", day))
    database.execute("DELETE FROM archive_outbox")
    assert restore_days(settings, [day]).restored.sent == 1
    assert archive_now(settings).startswith("archived: 1 rows appended")


def test_a_large_day_is_restored_in_pieces(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their number: calls of one millisecond too, and the bar reaches its end."""
    put(database, *(call(f"c{number:02}", TODAY) for number in range(10)), call("last", TODAY + 1))
    archive_now(settings)
    before = full(database)
    database.execute("DELETE FROM call_cdr WHERE call_id > 'c04'")
    monkeypatch.setattr("maintenance.restore.day.PIECE_ROWS", 3)
    seen: list[tuple[int, int]] = []
    restore_days(settings, [TODAY, TODAY + 1], progress=lambda done, total: seen.append((done, total)))
    assert full(database) == before
    assert seen[-1] == (2 * MS_PER_DAY, 2 * MS_PER_DAY)
    assert seen == sorted(seen)


@pytest.mark.parametrize("piece_rows", [2, 3, 10_000])
@pytest.mark.parametrize("stands", [True, False], ids=["PostgreSQL has it", "PostgreSQL lost it"])
def test_a_call_that_the_archive_has_twice_comes_back_once_and_becomes_one_there(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch, piece_rows: int, stands: bool
) -> None:
    """The higher revision counts; the report names the call, and prune is content after the next run."""
    put(database, call("first", FIRST), call("twice", FIRST, cost_micros=5))
    database.execute("UPDATE call_cdr SET revision = 3 WHERE call_id = 'twice'")
    before = full(database)
    archive_as_before(settings, database)
    database.execute("UPDATE call_cdr SET revision = 1, cost_micros = 4 WHERE call_id = 'twice'")
    database.execute(
        "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id)"
        " SELECT start_ts, call_id, switch, account_id FROM call_cdr WHERE call_id = 'twice'"
    )
    archive_now(settings)
    assert [row[0] for row in archived(settings)].count("twice") == 2
    if not stands:
        database.execute("DELETE FROM call_cdr WHERE call_id = 'twice'")
    monkeypatch.setattr("maintenance.restore.day.PIECE_ROWS", piece_rows)
    report = restore_days(settings, [FIRST])
    assert (report.restored.rows, report.restored.sent, report.restored.repeated) == (1, 0, 1)
    assert "; 1 calls that it has more than once wait for it" in str(report)
    assert re.search(r"\(twice of 2\d\d\d-\d\d-\d\dT12:00:00Z on fs1\)", str(report))
    assert full(database) == before
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced")
    assert archived(settings) == stored(database)
    assert prune_days(settings, today=TODAY).calls == 2


def test_without_an_archive_it_says_so(settings: Settings) -> None:
    with pytest.raises(ArchiveLost, match="tollbook archive attach"):
        restore_days(settings, [TODAY])
