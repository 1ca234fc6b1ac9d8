"""Details are written with their call, and one that comes late changes nothing but itself."""

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from tests.databases import upgrade_to
from tests.factories import DETAILS, START_MS, UP, call_row
from tollbook.model.accounts import EveryAccount
from tollbook.model.charge import Charge, Price, PricedCharge
from tollbook.model.details import NO_DETAILS, Details
from tollbook.model.record import Row
from tollbook.model.trunk_leg import TrunkLeg
from tollbook.store.calls import call_rows
from tollbook.store.calls.detail import find_calls
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import CALLS, Partitions, partition_name
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY

CHARGES = (
    Charge(direction="outbound", number="49", seconds=60),
    Charge(direction="outbound", number="44", seconds=90),
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection as the listener's."""
    with connect(database_url, name="test") as connection:
        Partitions().ensure(connection, call_days=[START_MS // MS_PER_DAY], leg_days=())
        yield connection


def row(details: Details = DETAILS, **changed: Any) -> Row:
    return call_row("a", **{"parts": CHARGES, "details": details, "trunk_root": True} | changed)


def price(of: Row, per_second: int | None, currency: str = "EUR") -> Price:
    """Price a row's charges as tariffs of so many micros a second do; None: without a rate."""
    parts = tuple(
        PricedCharge(
            direction=charge.direction, number=charge.number, seconds=charge.seconds,
            cost_micros=None if per_second is None else charge.seconds * per_second,
            rate=None if per_second is None else f"{charge.number} for {per_second}", rate_id=per_second,
        )
        for charge in of.parts or ()
    )  # fmt: skip
    rated = per_second is not None
    return Price(
        cost_micros=sum(part.cost_micros or 0 for part in parts) if rated else None,
        parts=parts,
        currency=currency,
        unrated=None if rated else "no rate",
        destination=parts[-1].rate if parts else None,
    )


def write(connection: Connection, of: Row, per_second: int | None = 7, currency: str = "EUR") -> None:
    call_rows.upsert(connection, [(of, price(of, per_second, currency) if of.end_ts is not None else None)])
    connection.commit()


def stored(connection: Connection, columns: str) -> Any:
    (found,) = connection.execute(f"SELECT {columns} FROM call_cdr").fetchall()
    connection.rollback()
    return found


PRICE = "cost_micros, currency, unrated, parts, destination"


def test_every_detail_is_stored_and_read_again(connection: Connection) -> None:
    write(connection, row())
    (found,) = find_calls(connection, "a", EveryAccount()).calls
    assert found.row.details == DETAILS
    assert found.row.trunk_root
    assert found.price is not None
    assert found.price.destination == "44 for 7"
    assert stored(connection, "jsonb_typeof(recordings), jsonb_typeof(vars)") == ("array", "object")


def test_what_nothing_states_is_null(connection: Connection) -> None:
    """No empty array of recordings either: a call of which nothing is known costs no bytes."""
    write(connection, row(NO_DETAILS, trunk_root=False))
    columns = (*(name for name in Details.__struct_fields__), "trunk_root")
    assert stored(connection, ", ".join(columns)) == (None,) * len(columns)
    (found,) = find_calls(connection, "a", EveryAccount()).calls
    assert found.row.details == NO_DETAILS


@pytest.mark.parametrize("field", Details.__struct_fields__)
def test_details_alone_make_a_revision_that_keeps_the_price(connection: Connection, field: str) -> None:
    """Syncs and the archive get it; the price stays although the rates and the currency have changed meanwhile."""
    before = msgspec.structs.replace(DETAILS, **{field: getattr(NO_DETAILS, field)})
    write(connection, row(before))
    paid, changed = stored(connection, PRICE), stored(connection, "changed::text::bigint")
    connection.execute("DELETE FROM archive_outbox")
    write(connection, row(), per_second=1_000, currency="USD")
    assert stored(connection, PRICE) == paid
    assert stored(connection, "revision") == (2,)
    assert stored(connection, "changed::text::bigint") > changed
    assert connection.execute("SELECT call_id FROM archive_outbox").fetchall() == [("a",)]
    assert connection.execute("SELECT count(*) FROM price_history").fetchone() == (0,)


@pytest.mark.parametrize("per_second", [8, None])
def test_an_event_that_changes_no_field_makes_no_revision(connection: Connection, per_second: int | None) -> None:
    """Although the rates have changed meanwhile, or are gone: only a re-rate applies them to a call with a price."""
    write(connection, row())
    before = stored(connection, "*")
    connection.execute("DELETE FROM archive_outbox")
    write(connection, row(), per_second)
    assert stored(connection, "*") == before
    assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)


def test_trunk_legs_are_written_with_a_row_and_make_no_change_of_their_own(connection: Connection) -> None:
    """The archive has none, and syncs show none: what changes in them alone would send a call there for nothing."""
    failed, answered = TrunkLeg("carrier", 0, None, None), TrunkLeg("carrier2", 1, 1019, 4.5)
    write(connection, row(trunk_legs=(failed,)))
    assert stored(connection, "trunk_legs") == ([["carrier", 0, None, None]],)
    connection.execute("DELETE FROM archive_outbox")
    write(connection, row(trunk_legs=(failed, answered)))
    assert stored(connection, "revision, jsonb_array_length(trunk_legs)") == (1, 1)
    assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)
    write(connection, row(trunk_legs=(failed, answered), hangup_cause="USER_BUSY"))
    assert stored(connection, "revision, trunk_legs -> 1") == (2, ["carrier2", 1, 1019, 4.5])
    write(connection, row(hangup_cause="NORMAL_CLEARING"))
    assert stored(connection, "trunk_legs") == (None,)


def test_an_unrated_call_stays_so_until_it_is_rated_again(connection: Connection) -> None:
    """`tollbook rerate --unrated` lists what it changes; a late event would price in silence."""
    write(connection, row(NO_DETAILS), None)
    write(connection, row(), 7)
    assert stored(connection, "cost_micros, unrated, hung_up_by") == (None, "no rate", "callee")


@pytest.mark.parametrize(
    "changed",
    [
        {"account_id": "other"},
        {"parts": (CHARGES[0],)},
        {"parts": (CHARGES[0], msgspec.structs.replace(CHARGES[1], seconds=91))},
        {"parts": (CHARGES[0], msgspec.structs.replace(CHARGES[1], number="441"))},
        {"parts": (CHARGES[0], msgspec.structs.replace(CHARGES[1], direction="inbound"))},
    ],
    ids=str,
)
def test_what_is_charged_otherwise_is_priced_anew(connection: Connection, changed: dict[str, Any]) -> None:
    write(connection, row())
    anew = row(**changed)
    write(connection, anew, 8)
    assert stored(connection, "cost_micros") == (price(anew, 8).cost_micros,)
    assert stored(connection, "destination") == (price(anew, 8).destination,)


def test_a_call_that_was_up_is_priced_at_its_end(connection: Connection) -> None:
    write(connection, row(NO_DETAILS, parts=None, **UP))
    before = stored(connection, "*")
    write(connection, row(NO_DETAILS, parts=None, **UP))
    assert stored(connection, "*") == before
    write(connection, row())
    assert stored(connection, "cost_micros, revision") == (150 * 7, 1)


def test_an_upgrade_writes_no_row(database_url: str) -> None:
    """A day's partition keeps its file; its rows have no details, and a late event brings them, at the old price."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public")
    upgrade_to(database_url, "0003")
    partition = partition_name(CALLS.table, START_MS // MS_PER_DAY)
    with connect(database_url, name="test") as old:
        Partitions().ensure(old, call_days=[START_MS // MS_PER_DAY], leg_days=())
        old.execute(
            "INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts,"
            " duration_sec, billsec, answered, disposition, cost_micros, switch, revision, parts, currency)"
            " VALUES ('a', 'acme', 'outbound', '1001', '+4930123456', %s, %s, %s, 64, 60, 1, 'answered',"
            " 5, 'fs1', 1, %s, 'EUR')",
            (START_MS, START_MS + 4000, START_MS + 64_000, msgspec.json.encode(price(row(), 7).parts).decode()),
        )
        (before,) = old.execute("SELECT pg_relation_filenode(%s)", (partition,)).fetchall()
        old.commit()
    upgrade(database_url)
    with connect(database_url, name="test") as new:
        (after,) = new.execute("SELECT pg_relation_filenode(%s)", (partition,)).fetchall()
        assert after == before
        assert stored(new, "hung_up_by, recordings, vars, revision") == (None, None, None, 1)
        write(new, row(), per_second=1_000)
        assert stored(new, "hung_up_by, cost_micros, revision") == ("callee", 5, 2)


def test_the_check_is_added_without_reading_a_row(database_url: str, database: Connection) -> None:
    """So that an upgrade of a large table is quick: it is not validated, and holds for what is written from then on."""
    found = database.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'call_cdr_hung_up_by'").fetchall()
    assert found == [(False,)] * 2
    with psycopg.connect(database_url) as connection:
        refused = "INSERT INTO call_cdr (start_ts, call_id, switch, direction, from_num, to_num, answered, hung_up_by)"
        with pytest.raises(psycopg.errors.CheckViolation, match="call_cdr_hung_up_by"):
            connection.execute(f"{refused} VALUES (-1, 'a', 'fs', 'inbound', '', '', 0, 'nobody')")
