"""The cubes answer what the rows would, whatever was written, changed, removed and rolled up before."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import NewDatabase, store
from tests.factories import BUSY, UP, Call, call
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_sums import Periods
from tollbook.model.details import Details
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store.calls.stats import sum_calls
from tollbook.store.database import Connection, connect
from tollbook.store.row_security import reading
from tollbook.store.sums.read import sum_cubes
from tollbook.store.sums.rollup import roll_up
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

DAY: Final = 20_000
BEGIN: Final = DAY * MS_PER_DAY
END: Final = BEGIN + 3 * MS_PER_DAY
HOURS: Final = Periods(starts=list(range(BEGIN, END, MS_PER_HOUR)))
DAYS: Final = Periods(starts=list(range(BEGIN, END, MS_PER_DAY)))

CALLS = st.builds(
    lambda number, account, state, queue, agent, cost, destination, ring, wait, talk: call(
        f"c{number}",
        account,
        # A call's start is part of its key.
        BEGIN + (number * 7_654_321) % (3 * MS_PER_DAY),
        **state,
        queue_id=queue,
        agent_id=agent,
        details=Details(ring_ms=ring, wait_ms=wait, talk_ms=talk),
        cost_micros=cost,
        destination=destination,
        direction="inbound" if queue else "outbound",
    ),
    number=st.integers(0, 9),
    account=st.sampled_from(["acme", "beta", None]),
    state=st.sampled_from([UP, BUSY, BUSY | {"disposition": "failed"}, {}, {"billsec": 7}]),
    queue=st.sampled_from([None, "sales", "help"]),
    agent=st.sampled_from([None, "1", "2"]),
    cost=st.sampled_from([None, 0, 21_000, 2**40]),
    destination=st.sampled_from([None, "Germany", "x" * 200]),
    ring=st.sampled_from([None, 0, 3_000]),
    wait=st.sampled_from([None, 0, 20_000, 31_000]),
    talk=st.sampled_from([None, 5_000]),
)
STEPS = st.lists(
    st.one_of(
        st.lists(CALLS, min_size=1, max_size=4, unique_by=lambda one: one[0].key),
        st.sampled_from(
            [
                "roll up",
                "DELETE FROM call_cdr WHERE call_id IN ('c1', 'c4')",
                "UPDATE call_cdr SET account_id = 'beta', currency = 'USD' WHERE end_ts IS NOT NULL AND call_id < 'c3'",
                "UPDATE call_cdr SET updated_ts = 7",
            ]
        ),
    ),
    max_size=8,
)
QUESTIONS: Final[list[tuple[Accounts, Filters, Sequence[str | Periods]]]] = [
    (OneAccount("acme"), Filters(), []),
    (OneAccount("acme"), Filters(), [HOURS, "disposition"]),
    (OneAccount("acme"), Filters(direction="inbound"), [DAYS, "queue_id"]),
    (OneAccount("acme"), Filters(queue_id="sales"), ["agent_id", "disposition"]),
    (OneAccount("beta"), Filters(disposition="answered"), ["queue_id", "agent_id"]),
    (EveryAccount(), Filters(), [HOURS, "disposition"]),
    (EveryAccount(), Filters(), ["account_id", "direction"]),
    (EveryAccount(), Filters(agent_id="2"), [DAYS]),
    (EveryAccount(), Filters(), ["queue_id", "account_id"]),
    (EveryAccount(), Filters(), ["queue_id"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def url(new_database: NewDatabase) -> Iterator[str]:
    with new_database() as url:
        yield url


@pytest.fixture(scope="module")
def connection(url: str) -> Iterator[Connection]:
    with connect(url, name="test", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def reader(url: str) -> Iterator[Connection]:
    with connect(url, name="reader", autocommit=True) as reader:
        yield reader


def run(connection: Connection, steps: Sequence[Any]) -> None:
    connection.execute("DELETE FROM call_cdr")
    for step in steps:
        if step == "roll up":
            assert roll_up(connection) is not None
        elif isinstance(step, str):
            connection.execute(step.encode())
        else:
            calls: list[Call] = step
            store(connection, *calls)


@given(steps=STEPS, since=st.sampled_from([BEGIN, BEGIN + 900_000, BEGIN + 1_234_567]), cut=st.integers(0, 3_000_000))
def test_the_cubes_give_what_the_rows_give(
    connection: Connection, reader: Connection, steps: list[Any], since: int, cut: int
) -> None:
    """Every sum of every group, in every currency, at quarter-hours and between them; and calls that are up."""
    run(connection, steps)
    for accounts, filters, groups in QUESTIONS:
        selection = Selection(accounts=accounts, since=since, until=END - cut, filters=filters)
        with reading(reader, accounts):
            for within_ms in (None, 20_000):
                expected = sum_calls(reader, selection, groups, limit=100, within_ms=within_ms)
                found = sum_cubes(reader, selection, groups, limit=100, within_ms=within_ms)
                assert found == expected


@given(steps=STEPS, cut=st.integers(0, 2 * MS_PER_DAY))
def test_destinations_are_summed_by_utc_day(
    connection: Connection, reader: Connection, steps: list[Any], cut: int
) -> None:
    """The ends of the time within a day are read from rows."""
    run(connection, steps)
    roll_up(connection)
    selection = Selection(accounts=OneAccount("acme"), since=BEGIN + cut // 2, until=END - cut // 3)
    with reading(reader, OneAccount("acme")):
        expected = sum_calls(reader, selection, [DAYS, "destination"], limit=100)
        found = sum_cubes(reader, selection, [DAYS, "destination"], limit=100)
    assert found == expected


def test_a_name_beyond_the_bounds_is_not_asked_of_the_cubes(connection: Connection, reader: Connection) -> None:
    """Neither before it is rolled up nor after, nor when there is room for names again: some of its calls have none."""
    run(connection, [])
    roll_up(connection)
    selection = Selection(accounts=EveryAccount(), since=BEGIN, until=END)

    def asked(name: str) -> bool:
        with reading(reader, EveryAccount()):
            return sum_cubes(reader, selection, [name], limit=100) != "question"

    assert asked("agent_id")
    store(connection, call("long", "acme", BEGIN, agent_id="x" * 201))
    assert not asked("agent_id")
    roll_up(connection)
    connection.execute("DELETE FROM call_cdr WHERE call_id = 'long'")
    roll_up(connection)
    assert not asked("agent_id")
    assert asked("queue_id")
    connection.execute("TRUNCATE sum_other")


def test_no_cost_is_too_great(connection: Connection, reader: Connection) -> None:
    """Two calls of the greatest price, from rows, from what waits, and from the cubes."""
    run(connection, [])
    store(connection, *(call(f"dear{number}", "acme", BEGIN + number, cost_micros=2**63 - 1) for number in range(2)))
    selection = Selection(accounts=OneAccount("acme"), since=BEGIN, until=END)
    for _ in range(2):
        with reading(reader, OneAccount("acme")):
            found = [sum_cubes(reader, selection, [DAYS], limit=9), sum_calls(reader, selection, [DAYS], limit=9)]
        assert not isinstance(found[0], str)
        assert [answer.total.cost for answer in found if not isinstance(answer, str)] == [(("EUR", 2**64 - 2),)] * 2
        assert found[0] == found[1]
        roll_up(connection)
