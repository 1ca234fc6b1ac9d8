"""Days of agents go into the archive once and whole, leave PostgreSQL once it is seen to have them, and are erased."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from maintenance.agents import close
from maintenance.agents.attach import attach_agents, give_up_agents
from maintenance.agents.close import GRACE_MS, MOST_LATE_DAYS, ClosedDays, archived_day, close_agent_days
from maintenance.agents.erase import erase_agent
from maintenance.agents.verify import VerifiedAgents, verify_agents
from maintenance.prune.run import prune_days
from tests.commands import Tollbook
from tests.integration.maintenance.agents.shifts import AFTER, DAY, work
from tollbook.archive._pyarrow import read_table
from tollbook.archive.agent_states import AGENT_TABLE, load_agent_states
from tollbook.archive.catalog import open_catalog
from tollbook.archive.schema import TABLE
from tollbook.config import Settings
from tollbook.errors import AccountHeld, ArchiveForked, DataError, StoreUnavailable, UsageError
from tollbook.store import holds
from tollbook.store.agents.accounts import Served, note_served
from tollbook.store.agents.days import drop_changes, sum_days
from tollbook.store.agents.erase import AgentScope
from tollbook.store.archive_commits import forget_commits
from tollbook.store.calls.switch_processes import SwitchProcess, note
from tollbook.store.database import Connection, connect, scalar
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY, current_day

HOUR = 3_600_000


def archived(settings: Settings) -> list[dict[str, Any]]:
    """Every row of the archive's table of agents."""
    with open_catalog(settings) as catalog:
        table = load_agent_states(catalog)
        return [] if table is None else read_table(table).to_pylist()


def files(settings: Settings) -> list[Path]:
    return [path for path in settings.data_dir.rglob("*") if path.is_file() and "agent_states" in str(path)]


def with_bobolink(settings: Settings) -> list[Path]:
    return [path for path in files(settings) if b"bobolink" in path.read_bytes()]


def belong(database: Connection, agent: str, account: str) -> None:
    note_served(database, [Served("fs1", agent, "phone", account, DAY * MS_PER_DAY)])
    database.commit()


@pytest.fixture
def worked(database: Connection) -> Connection:
    """bobolink of acme worked for two days, eve of nobody for one.

    Three letters stand somewhere in some compressed file by chance, once in a few hundred runs.
    """
    database.autocommit = True
    for account in ("acme", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account, name=account, plan_id=None))
    work(database, "bobolink")
    work(database, "bobolink", DAY + 1)
    work(database, "eve")
    belong(database, "bobolink", "acme")
    return database


def test_a_closed_day_is_archived_once(settings: Settings, worked: Connection) -> None:
    """Its spans, cut at midnight, with the account; a second run finds nothing to do, and asks the archive nothing."""
    done = close_agent_days(settings, now_ms=(DAY + 2) * MS_PER_DAY)
    assert done == ClosedDays(days=1, agents=2)
    rows = archived(settings)
    assert {row["day"] for row in rows} == {DAY}
    assert Counter((row["agent"], row["account_id"], row["bucket"]) for row in rows) == {
        ("bobolink", "acme", "ready"): 2, ("bobolink", "acme", "incall"): 1, ("bobolink", "acme", "offline"): 1,
        ("eve", None, "ready"): 2, ("eve", None, "incall"): 1, ("eve", None, "offline"): 1,
    }  # fmt: skip
    (bob, eve) = sum_days(worked, DAY, DAY + 1)
    assert (bob.account_id, dict(bob.sums.ms), bob.sums.handled) == (
        "acme", {"ready": 7 * HOUR, "incall": HOUR, "offline": 7 * HOUR}, 1,
    )  # fmt: skip
    assert (eve.account_id, eve.sums) == (None, bob.sums)
    with open_catalog(settings) as catalog:
        table = load_agent_states(catalog)
        assert table is not None
        assert archived_day(table, DAY) == [bob, eve]
    assert close_agent_days(settings, now_ms=(DAY + 2) * MS_PER_DAY + 6 * HOUR - 1) == ClosedDays()
    assert close_agent_days(settings, now_ms=(DAY + 2) * MS_PER_DAY + 6 * HOUR) == ClosedDays(days=1, agents=2)
    # eve went on being logged out.
    assert {row["agent"]: row["bucket"] for row in archived(settings) if row["day"] == DAY + 1}["eve"] == "offline"


def test_where_no_agent_was_ever_heard_of_no_day_is_closed(settings: Settings, database: Connection) -> None:
    """Nor is there a table of agents in the archive; nor one more state of it where what was said is all dropped."""
    database.autocommit = True
    assert close_agent_days(settings, now_ms=AFTER) == ClosedDays()
    with open_catalog(settings) as catalog:
        assert load_agent_states(catalog) is None
    database.execute("UPDATE agent_window SET open_day = %s", (DAY,))
    assert close_agent_days(settings, now_ms=AFTER) == ClosedDays()


def test_a_clock_that_was_wrong_closes_no_years(local_settings: Settings, worked: Connection) -> None:
    """As of a switch that boots without the time: what it said of long ago still holds, and is archived later on."""
    work(worked, "ann", DAY - 3_000)
    done = close_agent_days(local_settings, now_ms=AFTER)
    due = local_settings.retention_days + MOST_LATE_DAYS
    assert (done.days, done.days + done.left) == (31, due)
    assert {row["agent"] for row in archived(local_settings)} == {"ann"}
    assert scalar(worked, "SELECT open_day FROM agent_window") == DAY + 9 - due + 31


def test_a_kill_between_archive_and_database_doubles_nothing(
    settings: Settings, worked: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run finds the day in the archive, and takes its sums from there."""

    def killed(*_: object) -> None:
        raise StoreUnavailable("killed")

    with monkeypatch.context() as patch:
        patch.setattr(close, "close_day", killed)
        with pytest.raises(StoreUnavailable):
            close_agent_days(settings, now_ms=(DAY + 2) * MS_PER_DAY)
    before = archived(settings)
    assert scalar(worked, "SELECT count(*) FROM agent_day") == 0
    assert close_agent_days(settings, now_ms=(DAY + 2) * MS_PER_DAY).agents == 2
    assert archived(settings) == before
    assert [agent.sums.handled for agent in sum_days(worked, DAY, DAY + 1)] == [1, 1]


def test_days_that_only_the_archive_has_come_back(local_settings: Settings, worked: Connection) -> None:
    """Of a database that was restored, and of a catalog that no longer knows the table."""
    close_agent_days(local_settings, now_ms=AFTER)
    before = sum_days(worked, 0, DAY + 10)
    worked.execute("DELETE FROM agent_day")
    worked.execute("UPDATE agent_window SET open_day = 0")
    with open_catalog(local_settings) as catalog:
        catalog.drop_table(AGENT_TABLE)
        assert load_agent_states(catalog) is None
        assert "9 closed days found in the archive" in str(attach_agents(worked, catalog))
        assert attach_agents(worked, catalog) is None
    assert sum_days(worked, 0, DAY + 10) == before
    assert scalar(worked, "SELECT open_day FROM agent_window") == DAY + 9


def test_days_that_the_archive_has_lost_are_closed_again(local_settings: Settings, worked: Connection) -> None:
    """Those of which PostgreSQL has all that was said; verification names them before, and is content afterwards."""
    close_agent_days(local_settings, now_ms=(DAY + 1) * MS_PER_DAY + GRACE_MS)
    folder = local_settings.data_dir / "archive" / "tollbook" / "agent_states"
    before = {path for path in folder.rglob("*") if path.is_file()}
    close_agent_days(local_settings, now_ms=AFTER)
    sums, rows = sum_days(worked, 0, DAY + 10), archived(local_settings)
    for path in folder.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    with open_catalog(local_settings) as catalog:
        assert "metadata file is missing" in str(verify_agents(worked, catalog))
        assert "8 days that it lacks are archived again" in str(attach_agents(worked, catalog))
        assert verify_agents(worked, catalog).sound
    close_agent_days(local_settings, now_ms=AFTER)
    assert (sum_days(worked, 0, DAY + 10), archived(local_settings)) == (sums, rows)
    with open_catalog(local_settings) as catalog:
        assert verify_agents(worked, catalog) == VerifiedAgents(days=9)


def test_a_new_archive_leaves_the_old_table_as_it_is(
    local_settings: Settings, worked: Connection, tmp_path: Path
) -> None:
    """As a staging copy does, whose catalog leads to production's table."""
    close_agent_days(local_settings, now_ms=AFTER)
    folder = local_settings.data_dir / "archive"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = archived(local_settings)
    own = local_settings.model_copy(update={"data_dir": tmp_path / "staging"})
    with open_catalog(own, writing=True) as catalog:
        catalog.drop_table(TABLE)
        assert "9 days that it lacks are archived again" in str(give_up_agents(worked, catalog))
        forget_commits(worked)
    close_agent_days(own, now_ms=AFTER)
    assert archived(own) == rows
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_days_that_nothing_brings_back_are_told_once(local_settings: Settings, worked: Connection) -> None:
    """Their sums stay; nothing is wrong with an archive that was begun anew, and there is nothing to attach."""
    close_agent_days(local_settings, now_ms=AFTER)
    heard_us = (DAY + 10) * MS_PER_DAY * 1000
    note(worked, [SwitchProcess(core="c", address="a", switch="fs1", sequence=1, seen_us=heard_us)])
    note_served(worked, [Served("fs1", "bobolink", "phone", "acme", (DAY + 9) * MS_PER_DAY)])
    drop_changes(worked, DAY + 4)
    sums = sum_days(worked, 0, DAY + 10)
    for path in files(local_settings):
        path.unlink()
    with open_catalog(local_settings) as catalog:
        said = str(attach_agents(worked, catalog))
        assert "5 days that it lacks are archived again, of 4 more PostgreSQL has the sums alone" in said
        assert attach_agents(worked, catalog) is None
    close_agent_days(local_settings, now_ms=AFTER)
    assert sum_days(worked, 0, DAY + 10) == sums
    with open_catalog(local_settings) as catalog:
        assert attach_agents(worked, catalog) is None
        assert verify_agents(worked, catalog) == VerifiedAgents(days=5, sums_alone=4)


def test_of_a_day_that_differs_the_archives_counts(local_settings: Settings, worked: Connection) -> None:
    """As after a restore from before an agent was erased: verification names it, and attaching ends it."""
    close_agent_days(local_settings, now_ms=AFTER)
    saved = worked.execute("SELECT * FROM agent_day").fetchall()
    erase_agent(local_settings, AgentScope(agent="eve"))
    sums = sum_days(worked, 0, DAY + 10)
    worked.execute("DELETE FROM agent_day")
    places = ", ".join(["%s"] * len(saved[0]))
    worked.cursor().executemany(f"INSERT INTO agent_day VALUES ({places})", saved)  # type: ignore[arg-type]
    with open_catalog(local_settings) as catalog:
        assert "DIFFERS  2025-11-08" in str(verify_agents(worked, catalog))
        assert "9 days are now as it has them" in str(attach_agents(worked, catalog))
        assert verify_agents(worked, catalog) == VerifiedAgents(days=9)
        assert attach_agents(worked, catalog) is None
    assert sum_days(worked, 0, DAY + 10) == sums


@pytest.mark.parametrize("damage", ["truncated", "missing", "changed"])
def test_damage_is_named(local_settings: Settings, worked: Connection, damage: str) -> None:
    close_agent_days(local_settings, now_ms=AFTER)
    victim = next(path for path in files(local_settings) if path.suffix == ".parquet")
    if damage == "missing":
        victim.unlink()
    else:
        content = victim.read_bytes()
        changed = bytes([content[100] ^ 4]) + content[101:] if damage == "changed" else b""
        victim.write_bytes(content[:100] + changed)
    with open_catalog(local_settings) as catalog:
        found = verify_agents(worked, catalog)
        assert victim.name in str(attach_agents(worked, catalog))  # and holds up no attaching of calls
    assert not found.sound
    assert victim.name in str(found)


def test_prune_drops_what_the_archive_has(local_settings: Settings, worked: Connection) -> None:
    """What was said goes, but for what still holds; a day that the archive has otherwise stays, and is named."""
    close_agent_days(local_settings, now_ms=AFTER)
    worked.execute("UPDATE agent_day SET ready_ms = ready_ms + 1 WHERE day = %s AND agent = 'bobolink'", (DAY,))
    with pytest.raises(DataError, match=r"2025-11-08: the archive has other times of 1 agents .*'bobolink'"):
        prune_days(local_settings, today=current_day())
    assert scalar(worked, "SELECT count(*) FROM agent_state") == 15
    worked.execute("UPDATE agent_day SET ready_ms = ready_ms - 1 WHERE day = %s AND agent = 'bobolink'", (DAY,))
    seen_us = current_day() * MS_PER_DAY * 1000
    note(worked, [SwitchProcess(core="c", address="a", switch="fs1", sequence=1, seen_us=seen_us)])
    before = sum_days(worked, DAY, DAY + 9)
    prune_days(local_settings, today=current_day())
    left = worked.execute("SELECT agent, kind, value FROM agent_state ORDER BY agent, kind").fetchall()
    assert left == [
        ("bobolink", "state", "Waiting"), ("bobolink", "status", "Logged Out"), ("eve", "state", "Waiting"),
        ("eve", "status", "Logged Out"),
    ]  # fmt: skip
    assert sum_days(worked, DAY, DAY + 9) == before
    # A switch that was not heard for a whole window takes its agents along.
    worked.execute("DELETE FROM switch_process")
    prune_days(local_settings, today=current_day())
    assert scalar(worked, "SELECT count(*) FROM agent") == 0


def test_an_agent_is_erased_from_everywhere(local_settings: Settings, worked: Connection, tollbook: Tollbook) -> None:
    """From PostgreSQL and from every file of the archive; others stay as they were. It is not refused twice."""
    close_agent_days(local_settings, now_ms=AFTER)
    assert with_bobolink(local_settings)
    others = [row for row in archived(local_settings) if row["agent"] != "bobolink"]
    refused = tollbook("account", "agent", "erase", "bobolink", data_dir=str(local_settings.data_dir))
    assert (refused.returncode, "confirm with --yes" in refused.stderr) == (64, True)
    done = tollbook("account", "agent", "erase", "bobolink", "--yes", data_dir=str(local_settings.data_dir))
    assert done.returncode == 0, done.stderr
    assert archived(local_settings) == others
    assert not with_bobolink(local_settings)
    for table in ("agent", "agent_state", "agent_day", "agent_served"):
        with connect(local_settings.require_database_url(), name="test") as connection:
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # type: ignore[arg-type]
            assert b"bobolink" not in msgspec.json.encode(rows), table
    with pytest.raises(UsageError, match="no switch has named an agent 'bobolink'"):
        erase_agent(local_settings, AgentScope(agent="bobolink"))


def test_nothing_is_erased_beside_states_that_another_database_wrote(
    local_settings: Settings, worked: Connection
) -> None:
    """As before calls are removed: files that no state of ours names would go, and they are that database's."""
    close_agent_days(local_settings, now_ms=AFTER)
    folder = local_settings.data_dir / "archive" / "tollbook" / "calls" / "metadata"
    newest = max(folder.glob("*.metadata.json"))
    number = int(newest.name.partition("-")[0])
    newest.with_name(f"{number + 1:05}-{uuid4()}.metadata.json").write_bytes(newest.read_bytes())
    before = archived(local_settings)
    with pytest.raises(ArchiveForked):
        erase_agent(local_settings, AgentScope(agent="bobolink"))
    assert archived(local_settings) == before


def test_a_hold_keeps_agents(local_settings: Settings, worked: Connection) -> None:
    holds.place(worked, "acme", by_whom="me", reason="case 1")
    with pytest.raises(AccountHeld):
        erase_agent(local_settings, AgentScope(agent="bobolink"))
    assert scalar(worked, "SELECT count(*) FROM agent WHERE agent = 'bobolink'") == 1


def test_an_account_is_erased_with_its_agents(local_settings: Settings, worked: Connection, tollbook: Tollbook) -> None:
    """And no other's; also the days before it was known whose they are."""
    worked.execute("UPDATE agent SET account_id = NULL, account_by = NULL")
    close_agent_days(local_settings, now_ms=(DAY + 1) * MS_PER_DAY + GRACE_MS)
    belong(worked, "bobolink", "acme")
    belong(worked, "eve", "other")
    note_served(worked, [Served("fs1", "bobolink", "calls", "other", DAY * MS_PER_DAY)])  # whose calls bob took, too
    close_agent_days(local_settings, now_ms=AFTER)
    assert ("bobolink", None) in worked.execute("SELECT agent, account_id FROM agent_day").fetchall()
    done = tollbook("account", "erase", "acme", "--yes", data_dir=str(local_settings.data_dir))
    assert done.returncode == 0, done.stderr
    assert {row["agent"] for row in archived(local_settings)} == {"eve"}
    assert not with_bobolink(local_settings)
    assert worked.execute("SELECT DISTINCT agent FROM agent_day").fetchall() == [("eve",)]
    for table in ("agent", "agent_served"):
        assert worked.execute(f"SELECT DISTINCT agent FROM {table}").fetchall() == [("eve",)], table  # type: ignore[arg-type]


def test_the_archives_retention_drops_agents_too(local_settings: Settings, worked: Connection) -> None:
    """Months that are too old, their files and what their days came to; not of an account under a hold."""
    close_agent_days(local_settings, now_ms=AFTER)
    holds.place(worked, "acme", by_whom="me", reason="case 1")
    limited = local_settings.model_copy(update={"archive_retention_months": 1})
    close_agent_days(limited, now_ms=AFTER + MS_PER_DAY)
    assert {row["agent"] for row in archived(local_settings)} == {"bobolink"}
    assert worked.execute("SELECT DISTINCT agent FROM agent_day").fetchall() == [("bobolink",)]
    holds.release(worked, "acme", by_whom="me")
    close_agent_days(limited, now_ms=AFTER + 2 * MS_PER_DAY)
    assert archived(local_settings) == []
    assert not [path for path in files(local_settings) if path.suffix == ".parquet"]


def test_a_database_that_must_not_write_calls_writes_no_agents(local_settings: Settings, worked: Connection) -> None:
    """The guard of the calls' table is asked before each day."""
    close_agent_days(local_settings, now_ms=(DAY + 2) * MS_PER_DAY)
    before = archived(local_settings)
    worked.execute("DELETE FROM archive_commit")  # as of a copy from before
    with pytest.raises(ArchiveForked):
        close_agent_days(local_settings, now_ms=AFTER)
    assert archived(local_settings) == before
    assert scalar(worked, "SELECT open_day FROM agent_window") == DAY + 1
