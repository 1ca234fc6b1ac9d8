"""A walk over many calls, while calls are written: each that was there is found, none twice."""

import csv
import io
import itertools
import threading
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories import START_MS
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

DAYS = 3
FOR_EVER = 4_000_000_000_000

Put = Callable[..., None]


@pytest.fixture(params=[10_000, pytest.param(100_000, marks=pytest.mark.soak)])
def calls(request: pytest.FixtureRequest) -> int:
    """How many calls there are; they are read in ten pages."""
    return request.param


@pytest.fixture
def filled(accounts: Connection, calls: int) -> Connection:
    """Calls over three days, several in a millisecond, and as many of another account."""
    days = range(START_MS // MS_PER_DAY, START_MS // MS_PER_DAY + DAYS + 1)
    Partitions().ensure(accounts, call_days=days, leg_days=())
    accounts.execute(
        """
        INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, end_ts, duration_sec, billsec,
                              answered, disposition, cost_micros, switch, revision)
        SELECT account || md5(n::text), account, 'outbound', '1001', '+49' || n, %s + n / 3 * 3 * %s, 1, 0, 0,
               0, 'failed', 0, 'fs1', 1
        FROM generate_series(0, %s) AS n, unnest(ARRAY['acme', 'other']) AS account
        """,
        (START_MS, DAYS * MS_PER_DAY // calls, calls - 1),
    )
    accounts.execute("ANALYZE call_cdr")
    return accounts


@pytest.fixture
def writing(database_url: str, filled: Connection, put: Put, calls: int) -> Iterator[None]:
    """Somebody writes all the while: new calls before, among and behind those that are there, and changes of them."""
    step_ms = DAYS * MS_PER_DAY // calls
    done = threading.Event()
    finished = threading.Event()

    def write() -> None:
        with connect(database_url, name="test", autocommit=True) as connection:
            for number in itertools.count():
                if done.is_set():
                    break
                at = START_MS + number * 7919 * step_ms % (DAYS * MS_PER_DAY)
                put(f"new{number}", connection, start_ts=at)
                connection.execute(
                    "UPDATE call_cdr SET duration_sec = %s, changed = DEFAULT WHERE call_id = 'acme' || md5(%s)"
                    " AND start_ts = %s",
                    (number, str(number), START_MS + number // 3 * 3 * step_ms),
                )
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    yield
    done.set()
    writer.join()
    assert finished.is_set()


def json_page(answer: TestResponse) -> tuple[list[str], str | None]:
    body = answer.get_json()
    return [row["call_id"] for row in body["rows"]], body.get("next_cursor")


def csv_page(answer: TestResponse) -> tuple[list[str], str | None]:
    lines = csv.DictReader(io.StringIO(answer.text, newline=""))
    return [line["call_id"] for line in lines], answer.headers.get("X-Next-Cursor")


@pytest.mark.usefixtures("writing")
def test_a_walk_misses_none_and_repeats_none(client: FlaskClient, key: str, filled: Connection, calls: int) -> None:
    """In both orders and both formats; each walk begins with what is there then."""
    for order, (form, page) in itertools.product(("asc", "desc"), (("json", json_page), ("csv", csv_page))):
        there = {row[0] for row in filled.execute("SELECT call_id FROM call_cdr WHERE account_id = 'acme'")}
        assert len(there) >= calls
        found: list[str] = []
        query = {"order": order, "format": form, "limit": calls // 10, "until": FOR_EVER}
        for _ in range(30):
            answer = client.get("/v1/calls", query_string=query, headers={"x-api-key": key})
            assert answer.status_code == 200, answer.text
            ids, cursor = page(answer)
            found += ids
            if cursor is None:
                break
            query = {"cursor": cursor, "format": form, "limit": calls // 10}
        else:
            pytest.fail("the walk does not end")
        assert len(found) == len(set(found)), (order, form)
        assert not there - set(found), (order, form)
        assert not any(call_id.startswith("other") for call_id in found)
