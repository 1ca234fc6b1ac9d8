"""Both tiers as one: real PostgreSQL, a real archive, and pruning while somebody reads."""

import csv
import io
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from pyiceberg.table import FileScanTask, Table

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.factories import UP, call
from tests.integration.export_app.calls_of_days import DETAILED, END, FIRST, LATER, TODAY, api_key, made, put, wanted
from tollbook.archive import pages
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS, Record, Row
from tollbook.model.selection import Order, Selection
from tollbook.model.tiers import KEYED_COLUMNS, key_of, merge_tiers
from tollbook.store import row_security
from tollbook.store.calls.pages import read_hot_page, read_page
from tollbook.store.database import Connection, connect
from tollbook.times import LAST_MS, MS_PER_DAY


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("count", [8_000, pytest.param(30_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_a_walk_over_the_border_while_days_are_pruned(
    settings: Settings, database: Connection, order: Order, count: int
) -> None:
    """Pages of odd sizes, a day leaving between any two of them and within every one: each call once."""
    rows = made(count)
    put(database, rows)
    archive_calls(settings, now=True)
    prune_days(settings, today=FIRST + 60)
    open_row = msgspec.structs.replace(rows[0][0], call_id="open", start_ts=(FIRST + 20) * MS_PER_DAY, **UP)
    put(database, [(open_row, None)])
    late = (open_row, Price(cost_micros=None, parts=()))
    dice, days = random.Random(2), itertools.count(FIRST + 60)
    selection = Selection(accounts=EveryAccount(), since=0, until=END, order=order)
    got: list[Record] = []
    with open_catalog(settings) as catalog:

        def read_archive(*asked: object) -> Sequence[Record]:
            prune_days(settings, today=min(next(days), FIRST + 130))  # after PostgreSQL was read, before the archive is
            table = load_calls(catalog)
            assert table is not None
            return pages.read_page(table, *asked)  # pyright: ignore[reportArgumentType]

        while True:
            limit = dice.choice((1, 100, 997, count // 10))
            with row_security.snapshot(database):
                hot = read_hot_page(database, selection, KEYED_COLUMNS, limit)
            page = merge_tiers(selection, limit, hot, read_archive)
            got += page
            if len(page) < limit:
                break
            selection = replace(selection, after=key_of(page[-1]))
    assert next(days) > FIRST + 65
    assert got == wanted([*rows, late], lambda row: True, order)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, 2, 5])
def test_wherever_a_page_is_cut_it_has_the_same_rows(database: Connection, order: Order, after: int | None) -> None:
    """The time up to which it probably reaches is a guess; also where several calls start in one millisecond."""
    starts = [FIRST * MS_PER_DAY + offset for offset in (0, 1, 1, 1, 2, 5, 6, 9)]
    put(database, [call(f"c{number}", start_ts=start) for number, start in enumerate(starts)])
    every = Selection(accounts=EveryAccount(), since=starts[0], until=starts[-1] + 1, order=order)
    rows = read_page(database, every, KEYED_COLUMNS, 100)
    assert len(rows) == len(starts)
    selection = every if after is None else replace(every, after=key_of(rows[after]))
    left = rows if after is None else rows[after + 1 :]
    first, end = selection.remaining
    for edge, limit in itertools.product(range(first + 1, end), range(1, len(starts) + 1)):
        assert read_page(database, selection, KEYED_COLUMNS, limit, edge=edge) == left[:limit]


def is_detailed(*, own: int) -> Callable[[Row], bool]:
    """Match the calls with one of DETAILED."""
    return lambda row: row.details == DETAILED[own]


FILTERS: list[tuple[Filters, Callable[[Row], bool]]] = [
    (Filters(hung_up_by="switch"), is_detailed(own=1)),
    (Filters(codec="G722", voicemail=True), is_detailed(own=2)),
    (Filters(voicemail=False), is_detailed(own=1)),
    (Filters(sip_call_id='"2"@a'), is_detailed(own=2)),
    (Filters(gateway="carrier"), is_detailed(own=2)),
    (Filters(sip_status=503), is_detailed(own=2)),
    (Filters(sip_status=486), lambda row: False),
    (Filters(var="a:b"), is_detailed(own=1)),
    (Filters(var='c:x"y\\'), is_detailed(own=1)),
    (Filters(var='d:"a": "b"'), is_detailed(own=2)),
    (Filters(var="a.b:ü", min_billsec=50), lambda row: row.details == DETAILED[2] and (row.billsec or 0) >= 50),
    (Filters(var="b:b"), lambda row: False),
    (Filters(direction="inbound"), lambda row: row.direction == "inbound"),
    (Filters(disposition="no_answer"), lambda row: row.disposition == "no_answer"),
    (Filters(queue_id="support"), lambda row: row.queue_id == "support"),
    (Filters(agent_id="nobody"), lambda row: False),
    (Filters(min_billsec=90), lambda row: row.billsec is not None and row.billsec >= 90),
    (Filters(number="+4930"), lambda row: row.from_num.startswith("+4930") or row.to_num.startswith("+4930")),
    (Filters(number="30%"), lambda row: row.from_num.startswith("30%") or row.to_num.startswith("30%")),
    (
        Filters(direction="outbound", min_billsec=50, number="+412"),
        lambda row: row.direction == "outbound" and (row.billsec or 0) >= 50 and row.to_num.startswith("+412"),
    ),
]


@pytest.mark.parametrize("sparse_after", [1, 10**9])
@pytest.mark.parametrize("count", [2_000, pytest.param(12_000, marks=pytest.mark.soak)])
def test_pages_of_the_archive_in_both_orders_with_every_filter(
    settings: Settings, database: Connection, count: int, sparse_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, for an account and for all, in a span that begins and ends between calls: as Python sorts them.

    Whether matches are taken to be few from the first part on, or never.
    """
    monkeypatch.setattr(pages, "_SPARSE_AFTER", sparse_after)
    monkeypatch.setattr(pages, "_SPARSE_TIMES", 0)
    rows = made(count)
    put(database, rows)
    archive_calls(settings, now=True)
    since, until = (FIRST + 10) * MS_PER_DAY + 7_200_000, (FIRST + 95) * MS_PER_DAY + 1
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        for (filters, keep), account, order in itertools.product(
            [(Filters(), lambda row: True), *FILTERS], ("acme", None), ("desc", "asc")
        ):
            selection = Selection(
                accounts=EveryAccount() if account is None else OneAccount(account),
                since=since,
                until=until,
                order=order,
                filters=filters,
            )
            got: list[Record] = []
            while page := pages.read_page(table, selection, 700 * count // 12_000):
                got += page
                selection = replace(selection, after=key_of(page[-1]))
            mine = wanted(
                rows,
                lambda row: keep(row) and account in (None, row.account_id) and since <= row.start_ts < until,  # noqa: B023
                order,
            )
            assert got == mine, (filters, account, order)
        everything = Selection(accounts=OneAccount("acme"), since=0, until=4_000_000_000_000)
        mine = wanted(rows, lambda row: row.account_id == "acme")
        assert list(pages.read_all(table, everything)) == [row[: len(COLUMNS)] for row in mine]
        assert len(list(pages.read_all(table, everything, limit=17))) == 17
        known = frozenset(row.key for row, _ in rows[: count // 2])
        left = pages.read_page(table, everything, count, known)
        assert left == wanted(rows[count // 2 :], lambda row: row.account_id == "acme")


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_an_operator_s_page_reads_the_files_that_have_it_and_few_more(
    settings: Settings, database: Connection, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty accounts have a file each, which covers most of the month; ten calls are in ten of them at most."""
    since = FIRST * MS_PER_DAY
    rows = [
        (msgspec.structs.replace(row, account_id=f"a{number % 60}", start_ts=since + number * 60_000), price)
        for number, (row, price) in enumerate(made(600))
    ]
    put(database, rows)
    archive_calls(settings, now=True)
    monkeypatch.setattr(pages, "_FILES_AT_ONCE", 4)
    read = pages.read_batches
    files: list[int] = []

    def counted(table: Table, tasks: Sequence[FileScanTask], *asked: Any) -> Iterator[Any]:
        files.append(len(tasks))
        return read(table, tasks, *asked)

    monkeypatch.setattr(pages, "read_batches", counted)
    selection = Selection(accounts=EveryAccount(), since=0, until=END, order=order)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        first = pages.read_page(table, selection, 10)
        assert 10 <= sum(files) <= 16
        second = pages.read_page(table, replace(selection, after=key_of(first[-1])), 590)
    assert first + second == wanted(rows, lambda row: True, order)


def test_a_page_of_few_matches_reads_the_files_that_have_them(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sixty accounts' files two have calls of a number: once that is known, no row of another is read."""
    since = FIRST * MS_PER_DAY
    rows = [
        (
            msgspec.structs.replace(
                row, account_id=f"a{number % 60}", start_ts=since + number * 60_000,
                # Of each file the numbers reach from before it to beyond it, so that its bounds tell nothing.
                to_num="+4977" if number in {7, 9, 369} else f"+{number // 60 + 1}1001", from_num="1000",
            ),
            price,
        )
        for number, (row, price) in enumerate(made(600))
    ]  # fmt: skip
    put(database, rows)
    archive_calls(settings, now=True)
    monkeypatch.setattr(pages, "_SPARSE_AFTER", 50)
    monkeypatch.setattr(pages, "_SPARSE_TIMES", 0)
    read = pages.read_batches
    files: list[int] = []

    def counted(table: Table, tasks: Sequence[FileScanTask], *asked: Any) -> Iterator[Any]:
        files.append(len(tasks))
        return read(table, tasks, *asked)

    monkeypatch.setattr(pages, "read_batches", counted)
    selection = Selection(
        accounts=EveryAccount(), since=since, until=since + 600 * 60_000, order="asc", filters=Filters(number="+4977")
    )
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        found = pages.read_page(table, selection, 50)
    assert found == wanted(rows, lambda row: row.to_num == "+4977", "asc")
    assert len(found) == 3
    assert 60 < sum(files) <= 64


def test_an_empty_archive_has_empty_pages(settings: Settings, database: Connection) -> None:
    put(database, made(1))
    archive_calls(settings, now=True)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        selection = Selection(accounts=OneAccount("nobody"), since=0, until=END)
        assert pages.read_page(table, selection, 10) == []
        assert pages.read_page(table, replace(selection, accounts=OneAccount("acme"), since=END), 10) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_first_and_the_last_moment_can_be_asked_for(settings: Settings, database: Connection, order: Order) -> None:
    """Although the archive counts in microseconds, and its months in years of four digits."""
    (row, price), *_ = made(1)
    put(database, [(row, price)])
    archive_calls(settings, now=True)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        ends = (None, CallKey(0, "", ""), CallKey(LAST_MS, "z", "z"))
        for since, until, after in itertools.product((0, LAST_MS), (0, LAST_MS), ends):
            selection = Selection(accounts=EveryAccount(), since=since, until=until, order=order, after=after)
            behind = after is None or (after.start_ts == 0) == (order == "asc")
            assert len(pages.read_page(table, selection, 10)) == (since == 0 and until == LAST_MS and behind)


def test_the_api_walks_from_one_tier_into_the_other(
    settings: Settings, database: Connection, client: FlaskClient
) -> None:
    """As CSV, with days pruned between the pages; nothing of another account is among the rows."""
    rows = made(3000, first=LATER)
    put(database, rows)
    archive_calls(settings, now=True)
    key = api_key(database, "acme")
    cursor, got, days = {}, list[list[str]](), itertools.count(LATER + 34, 4)
    while cursor is not None:
        prune_days(settings, today=min(next(days), TODAY + 30))
        answer = client.get("/v1/calls", query_string={"limit": 400, "format": "csv", "until": END, **cursor},
                            headers={"x-api-key": key})  # fmt: skip
        assert answer.status_code == 200, answer.text
        got += list(csv.reader(io.StringIO(answer.text)))[1:]
        token = answer.headers.get("X-Next-Cursor")
        cursor = {"cursor": token} if token else None
    mine = wanted(rows, lambda row: row.account_id == "acme")
    assert [line[0] for line in got] == [record[0] for record in mine]
    assert [line[5] for line in got] == [str(record[5]) for record in mine]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("tier", ["PostgreSQL", "archive"])
def test_one_id_on_two_switches_in_one_millisecond_is_two_calls(
    settings: Settings, database: Connection, client: FlaskClient, order: Order, tier: str
) -> None:
    """A page ends between them: each is on one page, once."""
    (row, price), *_ = made(1)
    row = msgspec.structs.replace(row, account_id="acme")
    twins = [(msgspec.structs.replace(row, switch=f"fs{number}"), price) for number in range(3)]
    put(database, [*twins, (msgspec.structs.replace(row, start_ts=row.start_ts + 1), price)])
    archive_calls(settings, now=True)
    if tier == "archive":
        prune_days(settings, today=row.start_ts // MS_PER_DAY + 60)
        assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (0,)
    headers, found = {"x-api-key": api_key(database, "acme")}, list[tuple[int, str]]()
    query: dict[str, object] = {"order": order, "limit": 1, "fields": "start_ts,switch"}
    for _ in range(4):
        answer = client.get("/v1/calls", query_string=query, headers=headers).get_json()
        found += [(row["start_ts"], row["switch"]) for row in answer["rows"]]
        query["cursor"] = answer.get("next_cursor")
    assert query["cursor"] is None
    expected = [*((row.start_ts, f"fs{number}") for number in range(3)), (row.start_ts + 1, row.switch)]
    assert found == (expected if order == "asc" else expected[::-1])
