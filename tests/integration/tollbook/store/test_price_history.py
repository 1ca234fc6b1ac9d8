"""A price that changes leaves its old one, whoever changes it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.databases import upgrade_to
from tests.factories import START_MS, call_row
from tests.integration.tollbook.store.batches import leg, price
from tollbook.model.charge import Charge, Price, PricedCharge
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.vocabulary import PRICE_CAUSES, PriceCause
from tollbook.store.calls import call_rows
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection as the listener's."""
    with connect(database_url, name="test") as connection:
        Partitions().ensure(connection, call_days=[START_MS // MS_PER_DAY], leg_days=())
        yield connection


def write(connection: Connection, *legs: Leg, cause: PriceCause = "event") -> None:
    write_batch(connection, legs, FoldSettings(), price, Partitions(), cause=cause)


def history(connection: Connection) -> list[tuple[Any, ...]]:
    found = connection.execute(
        "SELECT call_id, revision, account_id, cost_micros, cause, run_id FROM price_history ORDER BY replaced_at"
    ).fetchall()
    connection.commit()
    return found


def put(connection: Connection, cost: int | None, *, revision: int | None = None, **fields: Any) -> None:
    """Write the same call as the listener does, with another price: it is charged for other seconds."""
    parts = (PricedCharge(direction="outbound", number="49", seconds=cost or 0, cost_micros=cost),)
    charges = tuple(Charge(direction=part.direction, number=part.number, seconds=part.seconds) for part in parts)
    call = call_row("a", **{"parts": charges} | fields)
    call_rows.upsert(
        connection,
        [(call, Price(cost_micros=cost, parts=parts, currency="EUR", unrated=None if cost is not None else "no rate"))],
    )
    connection.commit()


def trunk(uid: str, **facts: Any) -> Leg:
    """A leg to the trunk, which is charged."""
    return leg(uid, 0, parent="root", channel="sofia/external/4930", gateway="carrier", dialed="4930", **facts)


@pytest.mark.parametrize("cause", ["event", "cdr_file"])
def test_a_late_leg_leaves_the_old_price(connection: Connection, cause: PriceCause) -> None:
    """The call was complete, priced and perhaps invoiced; the leg that nobody had heard makes it dearer."""
    write(connection, leg("root", end_s=60, account="acme"))
    assert history(connection) == []
    write(connection, trunk("b", end_s=60), cause=cause)
    ((cost, revision),) = connection.execute("SELECT cost_micros, revision FROM call_cdr").fetchall()
    assert (cost, revision) == (840, 2)
    assert history(connection) == [("root", 1, "acme", 420, cause, None)]


def test_each_price_is_kept_once_with_its_parts(connection: Connection) -> None:
    """Three prices leave two; the reason why there was none is kept, too; a row that comes again leaves nothing."""
    for cost in (5, None, None, 7, 7):
        put(connection, cost)
    assert history(connection) == [("a", 1, "acme", 5, "other", None), ("a", 2, "acme", None, "other", None)]
    kept = connection.execute("SELECT currency, unrated, parts -> 0 -> 'cost_micros' FROM price_history").fetchall()
    assert sorted(kept, key=str) == [("EUR", "no rate", None), ("EUR", None, 5)]


def test_what_changes_no_money_leaves_no_price(connection: Connection) -> None:
    put(connection, 5)
    put(connection, 5, agent_id="1001", hangup_cause="ALLOTTED_TIMEOUT")
    assert connection.execute("SELECT revision FROM call_cdr").fetchone() == (2,)
    assert history(connection) == []


def test_a_call_that_is_up_has_no_price_to_keep(connection: Connection) -> None:
    write(connection, leg("root", account="acme"))
    write(connection, leg("root", end_s=60, account="acme"))
    assert history(connection) == []


def test_a_move_to_another_account_leaves_the_price_of_the_old_one(connection: Connection) -> None:
    """Although it costs the same: it stood on an invoice of the other account."""
    put(connection, 5)
    put(connection, 5, account_id="other")
    assert history(connection) == [("a", 1, "acme", 5, "other", None)]


def test_a_row_whose_legs_belong_to_another_call_leaves_its_price(connection: Connection) -> None:
    """Its end alone was heard, and priced; then its beginning names the leg that it was made for, and the row goes."""
    write(connection, leg("b", end_s=60, create=False, account="acme"))
    assert connection.execute("SELECT call_id, cost_micros FROM call_cdr").fetchall() == [("b", 420)]
    write(connection, leg("root", end_s=60, account="acme"), trunk("b"))
    assert connection.execute("SELECT call_id FROM call_cdr").fetchall() == [("root",)]
    assert history(connection) == [("b", 1, "acme", 420, "joined", None)]


def test_sql_by_hand_leaves_the_old_price(connection: Connection) -> None:
    """Also on a connection that has just written a batch: what that one was due to ended with it."""
    write(connection, leg("root", end_s=60, account="acme"))
    connection.execute("UPDATE call_cdr SET cost_micros = 9")
    assert history(connection) == [("root", 1, "acme", 420, "other", None)]


def test_late_rows_leave_their_prices_too(connection: Connection) -> None:
    """They are in a partition that is detached and attached whenever a day is dropped."""
    put(connection, 5, start_ts=-1)
    put(connection, 6, start_ts=-1)
    assert connection.execute("SELECT count(*) FROM call_cdr_late").fetchone() == (1,)
    assert history(connection) == [("a", 1, "acme", 5, "other", None)]


def test_the_check_lists_what_replaces_a_price(connection: Connection) -> None:
    """Exactly the model's list: one more needs a migration, and this test fails without it."""
    (row,) = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'price_history_cause'"
    ).fetchall()
    assert set(row[0].split("'")[1::2]) == set(PRICE_CAUSES)


def test_a_history_from_before_is_kept(postgres_url: str, database_url: str) -> None:
    """The upgrade dates the prices that re-rates replaced by their runs, and changes nothing else of them."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public")
    upgrade_to(database_url, "0002")
    with psycopg.connect(database_url, autocommit=True) as old:
        old.execute(
            "INSERT INTO rerate_run (begun_at, by_whom, reason, scope) VALUES ('2026-01-02T03:04:05Z', 'me', 'why', '')"
        )
        old.execute(
            "INSERT INTO price_history (start_ts, call_id, switch, revision, account_id, cost_micros, run_id)"
            " VALUES (1, 'a', 'fs1', 1, 'acme', 5, 1)"
        )
    upgrade(database_url)
    with psycopg.connect(database_url) as new:
        kept = new.execute("SELECT call_id, cost_micros, cause, run_id, replaced_at FROM price_history").fetchall()
    assert [(*row[:4], row[4].isoformat()) for row in kept] == [("a", 5, "rerate", 1, "2026-01-02T03:04:05+00:00")]
