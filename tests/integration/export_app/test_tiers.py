"""Both tiers as one: real PostgreSQL, a real archive, and pruning while somebody reads."""

import csv
import io
import itertools
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec
import pytest
from flask.testing import FlaskClient

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.databases import store
from tests.factories import UP, Call, call
from tollbook.archive import pages
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS, Record, Row
from tollbook.model.selection import Order, Selection
from tollbook.model.tiers import KEYED_COLUMNS, key_of, merge_tiers
from tollbook.store import keys, row_security
from tollbook.store.calls.pages import read_hot_page
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.times import LAST_MS, MS_PER_DAY

TODAY = 20_780  # 2026-11-23
FIRST = TODAY - 100  # days of calls: a hundred, thirty of which PostgreSQL is to keep
ROWS = 30_000
END = (TODAY + 1) * MS_PER_DAY
WORDS = ("answered", "no_answer", "busy")


def made(count: int, *, seed: int = 1) -> list[Call]:
    """Calls of some accounts, over all days, many at the same millisecond, some with one id on two switches."""
    dice = random.Random(seed)
    rows: list[Call] = []
    for number in range(count):
        start = FIRST * MS_PER_DAY + dice.randrange(100 * 24) * 3_600_000 + dice.randrange(3)
        call_id, switch = f"{dice.randrange(16**8):08x}-{number}", "sw1"
        if rows and dice.randrange(4) == 0:
            start, call_id, switch = rows[-1][0].key._replace(switch=f"sw{number}")
        rows.append(call(
            call_id, dice.choice(("acme", "acme", "other", None)), start, switch=switch,
            direction=dice.choice(("inbound", "outbound")), from_num=dice.choice(("1001", "+49301", "30%")),
            to_num=f"+4{dice.randrange(10**4)}", billsec=dice.randrange(100), disposition=dice.choice(WORDS),
            queue_id=dice.choice(("support", None)), cost_micros=dice.randrange(10**6),
        ))  # fmt: skip
    return rows


def put(connection: Connection, rows: Sequence[Call]) -> None:
    for first in range(0, len(rows), 5000):
        store(connection, *rows[first : first + 5000])


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection


def wanted(rows: Sequence[Call], keep: Callable[[Row], bool], order: Order = "desc") -> list[Record]:
    """What a walk must give, with the switch behind the public columns: sorted in Python by the keys."""
    found = [
        tuple(price.cost_micros if name == "cost_micros" else getattr(row, name) for name in KEYED_COLUMNS)
        for row, price in rows
        if keep(row)
    ]
    return sorted(found, key=key_of, reverse=order == "desc")


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_a_walk_over_the_border_while_days_are_pruned(settings: Settings, database: Connection, order: Order) -> None:
    """30,000 calls, pages of odd sizes, a day leaving between any two of them and within every one: each call once."""
    rows = made(ROWS)
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
            limit = dice.choice((1, 100, 997, 3000))
            with row_security.snapshot(database):
                hot = read_hot_page(database, selection, KEYED_COLUMNS, limit)
            page = merge_tiers(selection, limit, hot, read_archive)
            got += page
            if len(page) < limit:
                break
            selection = replace(selection, after=key_of(page[-1]))
    assert next(days) > FIRST + 65
    assert got == wanted([*rows, late], lambda row: True, order)


FILTERS: list[tuple[Filters, Callable[[Row], bool]]] = [
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


def test_pages_of_the_archive_in_both_orders_with_every_filter(settings: Settings, database: Connection) -> None:
    """Page by page, for an account and for all, in a span that begins and ends between calls: as Python sorts them."""
    rows = made(12_000)
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
            while page := pages.read_page(table, selection, 700):
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
        known = frozenset(row.key for row, _ in rows[:6000])
        left = pages.read_page(table, everything, ROWS, known)
        assert left == wanted(rows[6000:], lambda row: row.account_id == "acme")


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


def api_key(connection: Connection, account: str) -> str:
    tariffs.add_account(connection, tariffs.Account(account_id=account, name=account, plan_id=None))
    return keys.create(connection, account_id=account, scopes=["cdr"])[1]


def test_the_api_walks_from_one_tier_into_the_other(
    settings: Settings, database: Connection, client: FlaskClient
) -> None:
    """As CSV, with days pruned between the pages; nothing of another account is among the rows."""
    rows = made(3000)
    put(database, rows)
    archive_calls(settings, now=True)
    key = api_key(database, "acme")
    cursor, got, days = {}, list[list[str]](), itertools.count(FIRST + 40, 10)
    while cursor is not None:
        prune_days(settings, today=min(next(days), FIRST + 130))
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


def test_a_broken_archive_is_told_and_never_a_short_page(
    settings: Settings, database: Connection, client: FlaskClient
) -> None:
    """What PostgreSQL keeps is still served; a page that would reach into the archive is refused."""
    rows = made(500)
    put(database, rows)
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    shutil.rmtree(settings.data_dir / "archive")
    headers = {"x-api-key": api_key(database, "acme")}
    answer = client.get("/v1/calls", headers=headers)
    assert (answer.status_code, answer.json and answer.json["code"]) == (503, "archive_unavailable")
    assert answer.headers["Retry-After"]
    younger = client.get("/v1/calls", query_string={"since": (TODAY - 29) * MS_PER_DAY}, headers=headers)
    assert (younger.status_code, younger.json and younger.json["ok"]) == (200, True)


def test_threads_share_one_catalog(settings: Settings, database: Connection) -> None:
    """Twelve threads ask at once, the first time: each gets its page, and a catalog is opened once."""
    rows = made(300)
    put(database, rows)
    archive_calls(settings, now=True)
    archive = Archive(settings)
    selection = Selection(accounts=OneAccount("acme"), since=0, until=END)
    pages, start = list[Sequence[Record]](), threading.Barrier(12)

    def read() -> None:
        start.wait(10)
        pages.append(archive.read_page(selection, 1000, frozenset()))

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert pages == [wanted(rows, lambda row: row.account_id == "acme")] * 12
    archive.close()


def test_wrong_settings_of_the_archive_are_an_archive_that_cannot_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__TYPE", "nonsense")
    selection = Selection(accounts=OneAccount("acme"), since=0, until=END)
    with pytest.raises(ArchiveError, match="pyiceberg refuses the archive's settings"):
        Archive(settings).read_page(selection, 1, frozenset())
