"""Two switches hand out one id in the same millisecond: these are two calls, in every tier and every answer."""

from typing import Any

import pytest
from msgspec.structs import replace

from maintenance.prune.run import prune_days
from maintenance.recover.archived import not_archived
from maintenance.rerate.price_change import archived_call
from tests.archiving import archive_now
from tests.databases import written_when_ended
from tests.factories import START_MS, START_US, created, ended, legs_of
from tests.integration.export_app.conftest import Ask
from tollbook.archive.answered import answered_calls
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import FROM_CDR_FILE, Leg
from tollbook.model.record import Row
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.row_security import reading
from tollbook.store.tariffs import price_history
from tollbook.store.tariffs.price_history import Replacement
from tollbook.times import MS_PER_DAY

DAY = START_MS // MS_PER_DAY


def legs(switch: str, *, account: str = "acme", seconds: int = 60, parent: str = "") -> list[Leg]:
    """The same answered call of one leg, whichever switch reports it."""
    create = created("same", account=account, dialed="49", user="1000", cdr_parent=parent)
    return legs_of(create, ended(create, hangup_s=seconds, answered_s=0), switch=switch)


def from_cdr_file(leg: Leg) -> Leg:
    """The same as a CDR file states it, which an event can still correct."""
    facts = {name: getattr(leg, name) for name in ("create", "end")}
    return replace(leg, **{name: replace(said, source=FROM_CDR_FILE) for name, said in facts.items() if said})


def priced(row: Row) -> Price:
    part = PricedCharge(direction=row.direction, number=row.to_num, seconds=row.billsec or 0, cost_micros=row.billsec)
    return Price(cost_micros=row.billsec, parts=(part,), currency="EUR")


def write(connection: Connection, *legs: Leg) -> None:
    """Write legs as the listener does."""
    connection.autocommit = False
    write_batch(connection, legs, FoldSettings(), priced, Partitions())
    connection.autocommit = True


def stored(connection: Connection) -> list[tuple[object, ...]]:
    """What PostgreSQL has: switch, billsec, revision."""
    return connection.execute("SELECT switch, billsec, revision FROM call_cdr ORDER BY switch").fetchall()


def archived(settings: Settings) -> list[tuple[object, ...]]:
    """What the archive has: switch, billsec, revision."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        found: Any = table.scan().to_arrow()
    return sorted((row["switch"], row["billsec"], row["revision"]) for row in found.to_pylist())


def listed(ask: Ask, secret: str) -> list[tuple[object, ...]]:
    """What /v1/calls has: switch, billsec, revision."""
    answer = ask(secret, fields="switch,billsec,revision").json
    assert answer
    return sorted(tuple(row.values()) for row in answer["rows"])


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "one after the other"])
def test_two_switches_with_one_id_in_one_millisecond_are_two_calls(
    accounts: Connection, settings: Settings, ask: Ask, operator_key: str, apart: bool
) -> None:
    """Two rows with their own legs, two archived rows, two answers; a correction of one leaves the other alone."""
    batches = [legs("fs1"), list(map(from_cdr_file, legs("fs2")))]
    for batch in batches if apart else [batches[0] + batches[1]]:
        write(accounts, *batch)
    both = [("fs1", 60, 1), ("fs2", 60, 1)]
    assert stored(accounts) == both
    assert archive_now(settings) == "archived: 2 rows appended, 0 replaced, 0 deleted, 1 files"
    assert archived(settings) == listed(ask, operator_key) == both
    answer = ask(operator_key, path="/v1/calls/same").json
    assert answer
    assert [(call["switch"], len(call["legs"])) for call in answer["calls"]] == [("fs2", 1), ("fs1", 1)]

    write(accounts, *legs("fs2", seconds=61))
    corrected = [("fs1", 60, 1), ("fs2", 61, 2)]
    assert stored(accounts) == listed(ask, operator_key) == corrected
    assert archive_now(settings) == "archived: 0 rows appended, 1 replaced, 0 deleted, 1 files"
    assert archived(settings) == corrected


def test_a_call_of_one_switch_is_taken_back_alone(
    accounts: Connection, settings: Settings, ask: Ask, operator_key: str
) -> None:
    """One of the two turns out to be a part of another call: the other stays, in both tiers."""
    write(accounts, *legs("fs1"), *map(from_cdr_file, legs("fs2")))
    archive_now(settings)
    root = replace(legs("fs2")[0], uid="root", created_us=START_US - 1000)
    write(accounts, root, *legs("fs2", parent="root"))
    left = accounts.execute("SELECT start_ts, call_id, switch FROM call_cdr ORDER BY switch").fetchall()
    assert left == [(START_MS, "same", "fs1"), (START_MS - 1, "root", "fs2")]
    archive_now(settings)
    assert archived(settings) == [("fs1", 60, 1)]


def test_what_has_left_postgresql_is_told_apart_by_its_switch(
    accounts: Connection, settings: Settings, ask: Ask, operator_key: str
) -> None:
    """Prune, a re-rate of one archived call, and `recover` of a third switch's."""
    write(accounts, *legs("fs1"), *legs("fs2"))
    archive_now(settings)
    written_when_ended(accounts)
    assert prune_days(settings, today=DAY + 40).calls == 2
    assert stored(accounts) == []
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        heard = [leg for switch in ("fs1", "fs2", "fs3") for leg in legs(switch)]
        assert not_archived(table, heard) == {("fs3", "same", START_US)}
        (rows,) = answered_calls(table, accounts=None, since_ms=0, until_ms=4_000_000_000_000, unrated=False)
    (of_fs1,) = [row for row in rows if row["switch"] == "fs1"]
    change = Replacement(call=archived_call(of_fs1), price=Price(cost_micros=7, parts=()), archived=of_fs1)
    run = price_history.begin_run(accounts, by_whom="me", reason="", scope="")
    assert price_history.write_corrections(accounts, run, [change]) == {CallKey(START_MS, "same", "fs1")}
    assert listed(ask, operator_key) == [("fs1", 60, 2), ("fs2", 60, 1)]
    archive_now(settings)
    assert archived(settings) == [("fs1", 60, 2), ("fs2", 60, 1)]


def test_an_account_sees_the_legs_of_its_own_switch(accounts: Connection) -> None:
    """Row-level security: the leg of the other account's call is not shown with one's own, for all their common id."""
    write(accounts, *legs("fs1"), *legs("fs2", account="other"))
    with reading(accounts, OneAccount("acme")):
        assert accounts.execute("SELECT switch FROM call_cdr").fetchall() == [("fs1",)]
        assert accounts.execute("SELECT DISTINCT switch FROM call_leg").fetchall() == [("fs1",)]
