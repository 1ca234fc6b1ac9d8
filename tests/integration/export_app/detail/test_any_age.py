"""`GET /v1/calls/{id}` for calls that PostgreSQL no longer has: real PostgreSQL, a real archive."""

import datetime as dt
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from export_app.archive import ACCOUNT_READERS
from export_app.context import Services
from export_app.share import ACCOUNT_WAITING
from export_app.web.errors import ApiError
from maintenance.archive.run import archive_calls
from maintenance.compaction.call_ids import index_some
from maintenance.compaction.run import compact_archive
from maintenance.erase.preview import EraseRequest
from maintenance.erase.run import erase_calls
from maintenance.prune.run import prune_days
from rating.deck_csv import parse_deck
from tests.databases import store, written_when_ended
from tests.factories import START_MS, call
from tests.integration.export_app.detail.conftest import DECK
from tests.integration.export_app.detail.explained import Get, calls, legs, write
from tests.recorded import recorded_legs, recorded_rows
from tests.waiting import wait_until
from tollbook.archive.call_ids import FOLDER
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import OneAccount
from tollbook.store.database import Connection
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.times import MS_PER_DAY

DAY = START_MS // MS_PER_DAY
AFTER_ALL = dt.datetime(2027, 6, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number of calls is so few that the index is not asked."""
    monkeypatch.setattr("tollbook.archive.by_id.FEW_CALLS", -1)


def prune(settings: Settings, connection: Connection, *, days: int = 8) -> None:
    """Archive everything, and drop the days before `days` after START_MS; a call stands on that day."""
    store(connection, call("later", "acct_beta", (DAY + days) * MS_PER_DAY))
    written_when_ended(connection)
    archive_calls(settings, now=True)
    prune_days(settings, today=DAY + days + 30)


def without_legs(explained: dict[str, Any]) -> dict[str, Any]:
    """What is left of a call's explanation when its legs are gone."""
    price = explained["price"]
    parts = [part | {"leg": None, "charged": None} for part in price["parts"]]
    left = {name: value for name, value in explained.items() if name not in ("legs", "note", "rules")}
    return left | {"price": price | {"parts": parts}}


@pytest.fixture(params=["indexed", "not indexed"])
def indexed(request: pytest.FixtureRequest) -> bool:
    """Whether the archive has an index of call ids: the answers are the same."""
    return request.param == "indexed"


def test_a_pruned_call_is_explained_as_before(
    settings: Settings, accounts: Connection, get: Get, indexed: bool
) -> None:
    """Its columns, its details, its charges with their rates, to its account and to the operator; no legs."""
    write(accounts, recorded_legs("transfer_outbound_to_third_party"))
    (row,) = recorded_rows("transfer_outbound_to_third_party")
    call_id, at = row["call_id"], f"start_ts={row['start_ts']}"
    before = {who: calls(get(call_id, who=who))[0] for who in ("operator", "alpha")}
    written_when_ended(accounts)
    archive_calls(settings, now=True)
    day = row["start_ts"] // MS_PER_DAY
    store(accounts, call("later", "acct_beta", (day + 8) * MS_PER_DAY))
    replace_rates(
        accounts, "retail", "EUR",
        parse_deck([("", DECK.replace("0.012", "0.099").splitlines(keepends=True))]),
    )  # fmt: skip
    prune_days(settings, today=day + 38)
    assert accounts.execute("SELECT count(*) FROM call_cdr WHERE call_id = %s", (call_id,)).fetchone() == (0,)
    assert accounts.execute("SELECT count(*) FROM call_leg").fetchone() == (0,)
    if indexed:
        compact_archive(settings, now=AFTER_ALL)
    for who, query in (("operator", ""), ("operator", at), ("alpha", ""), ("alpha", at)):
        (after,) = calls(get(call_id, query, who=who))
        assert without_legs(after) == without_legs(before[who])
        assert after["legs"] == []
        assert "no longer kept" in after["note"]
        assert after["rules"]["direction"] == after["rules"]["codec"] == "recorded"
        assert after["price"]["parts"][0]["terms"]["per_min_micros"] == 12_000
    unknown = get("nothing", who="alpha")
    others = get(call_id, who="beta")
    assert (others.status_code, others.data) == (unknown.status_code, unknown.data) == (404, unknown.data)
    assert get(call_id, f"start_ts={row['start_ts'] + 1}").status_code == 404


def test_legs_are_shown_as_long_as_they_are_kept(settings: Settings, accounts: Connection, get: Get) -> None:
    """Two days longer than their call: to the operator and to its account, and to nobody else."""
    write(accounts, legs("x", "acct_alpha"))
    before = {who: calls(get("x", who=who)) for who in ("operator", "alpha")}
    prune(settings, accounts, days=2)
    assert accounts.execute("SELECT count(*) FROM call_cdr WHERE call_id = 'x'").fetchone() == (0,)
    for who, answer in before.items():
        assert answer[0]["legs"]
        assert calls(get("x", who=who)) == answer
    assert get("x", who="beta").status_code == 404


def test_legs_that_are_kept_longer(settings: Settings, accounts: Connection, get: Get) -> None:
    """A call of long ago has its legs, until it is erased: then they are gone with it."""
    write(accounts, legs("x", "acct_alpha"), legs("y", "acct_beta"))
    before = {who: calls(get("x", who=who)) for who in ("operator", "alpha")}
    longer = settings.model_copy(update={"leg_days": 90})
    prune(longer, accounts, days=40)
    assert {who: calls(get("x", who=who)) for who in before} == before
    request = EraseRequest(account_id="acct_alpha", number=None, until_ts=START_MS + 1, by_whom="me", reason="asked")
    erase_calls(longer, request)
    assert get("x").status_code == 404
    assert accounts.execute("SELECT uid FROM call_leg").fetchall() == [("y",)]
    assert calls(get("y"))[0]["legs"]


def test_former_prices_of_a_pruned_call(settings: Settings, accounts: Connection, get: Get) -> None:
    """Each sees what was theirs, as in the window."""
    write(accounts, legs("x", "acct_alpha", gateway="", channel_direction="outbound", channel="sofia/external/1"))
    accounts.execute("UPDATE call_cdr SET cost_micros = 1, account_id = 'acct_beta'")
    accounts.execute("UPDATE call_cdr SET cost_micros = 2")
    before = {who: calls(get("x", who=who)) for who in ("operator", "beta")}
    prune(settings, accounts)
    for who, prices in (("operator", 2), ("beta", 1)):
        after = calls(get("x", who=who))
        assert after[0]["price"]["before"] == before[who][0]["price"]["before"]
        assert len(after[0]["price"]["before"]) == prices
    assert get("x", who="alpha").status_code == 404


def test_an_id_that_was_used_again(settings: Settings, accounts: Connection, get: Get, indexed: bool) -> None:
    """The archive's calls of an id come newest first; one within the window ends the search, and start_ts picks any."""
    starts = [START_MS, START_MS + 3_600_000, START_MS + 2 * MS_PER_DAY]
    store(accounts, *(call("again", "acct_alpha", start, switch=f"sw{number}") for number, start in enumerate(starts)))
    store(accounts, call("again", "acct_alpha", starts[0], switch="sw9"), call("again", "acct_beta", starts[0] + 1))
    prune(settings, accounts)
    if indexed:
        compact_archive(settings, now=AFTER_ALL)
    found = [(explained["start_ts"], explained["switch"]) for explained in calls(get("again", who="alpha"))]
    assert found == [(starts[2], "sw2"), (starts[1], "sw1"), (starts[0], "sw9"), (starts[0], "sw0")]
    assert len(calls(get("again"))) == 5
    store(accounts, call("again", "acct_alpha", (DAY + 9) * MS_PER_DAY))
    assert [explained["start_ts"] for explained in calls(get("again"))] == [(DAY + 9) * MS_PER_DAY]
    (picked,) = calls(get("again", f"start_ts={starts[1]}"))
    assert picked["switch"] == "sw1"


def test_what_postgresql_knows_better_counts(settings: Settings, accounts: Connection, get: Get, indexed: bool) -> None:
    """A late call that replaces its archived row is shown once, as it is now; one that was deleted is not shown."""
    store(accounts, call("changed", "acct_alpha", cost_micros=1), call("gone", "acct_alpha", START_MS + 1))
    store(accounts, call("elsewhere", "acct_alpha", START_MS + 2))
    prune(settings, accounts)
    if indexed:
        compact_archive(settings, now=AFTER_ALL)
    store(accounts, call("changed", "acct_alpha", cost_micros=2), call("gone", "acct_alpha", START_MS + 1))
    assert [explained["cost_micros"] for explained in calls(get("changed"))] == [2]
    accounts.execute("DELETE FROM call_cdr WHERE call_id = 'gone'")
    accounts.execute(
        "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted, archived)"
        " VALUES (%s, 'gone', 'fs1', 'acct_alpha', true, true)"
        " ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET deleted = true",
        (START_MS + 1,),
    )
    assert get("gone").status_code == 404
    archive_calls(settings, now=True)
    assert [explained["cost_micros"] for explained in calls(get("changed"))] == [2]
    assert get("gone").status_code == 404
    assert len(calls(get("elsewhere"))) == 1


def test_an_erased_call_is_found_no_more(settings: Settings, accounts: Connection, get: Get) -> None:
    """Nor is the hash of its id anywhere; the calls of others are."""
    store(accounts, call("ours", "acct_alpha"), call("theirs", "acct_beta"))
    prune(settings, accounts)
    compact_archive(settings, now=AFTER_ALL)
    ids = settings.data_dir / "archive" / "tollbook" / "calls" / FOLDER
    assert list(ids.glob("*.parquet"))
    assert len(calls(get("ours"))) == 1
    request = EraseRequest(account_id="acct_alpha", number=None, until_ts=START_MS + 1, by_whom="me", reason="asked")
    erase_calls(settings, request)
    assert not list(ids.glob("*.parquet"))
    assert get("ours").status_code == 404
    assert len(calls(get("theirs"))) == 1
    compact_archive(settings, now=AFTER_ALL)
    assert list(ids.glob("*.parquet"))
    assert get("ours").status_code == 404
    assert len(calls(get("theirs"))) == 1


@pytest.mark.parametrize("whole", [True, False])
def test_an_archive_in_trouble_is_never_a_404(
    settings: Settings, accounts: Connection, get: Get, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """What a page of these calls answers. A call of the window opens all the same."""
    store(accounts, call("x", "acct_alpha"))
    prune(settings, accounts)
    if whole:
        monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__URI", "sqlite:////nowhere/catalog.db")
    else:
        for path in (settings.data_dir / "archive").rglob("data/**/*.parquet"):
            path.unlink()
    expected = (503, "archive_unavailable") if whole else (500, "archive_damaged")
    for call_id, who in (("x", "operator"), ("x", "alpha")):
        answer = get(call_id, who=who)
        assert (answer.status_code, answer.get_json()["code"]) == expected
    assert len(calls(get("later"))) == 1


def test_files_that_the_index_lacks_are_searched_for_a_time(
    settings: Settings, accounts: Connection, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the answer says what to send; with an index the same call is found in no time."""
    store(accounts, call("x", "acct_alpha"))
    prune(settings, accounts)
    monkeypatch.setattr("export_app.archive.SEARCH_S", 0.0)
    answer = get("x", who="alpha")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "search_too_long")
    compact_archive(settings, now=AFTER_ALL)
    assert len(calls(get("x", who="alpha"))) == 1


@contextmanager
def full_share(services: Services) -> Generator[None]:
    """Hold all places of acct_alpha's share of the archive, and let as many of its requests wait as may."""
    share, end = services.archive._share, threading.Event()

    def hold() -> None:
        with suppress(ApiError), share.taken(OneAccount("acct_alpha")):
            end.wait(60)

    threads = [threading.Thread(target=hold) for _ in range(ACCOUNT_READERS + ACCOUNT_WAITING)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(share._of[OneAccount("acct_alpha")].waiting) == ACCOUNT_WAITING, 10)
    yield
    end.set()
    for thread in threads:
        thread.join(30)


def test_an_account_has_a_share_of_these_too(
    settings: Settings, services: Services, accounts: Connection, get: Get
) -> None:
    """Beyond it the account is asked to wait, others are served, and its own calls of the window, too."""
    store(accounts, call("x", "acct_alpha"))
    prune(settings, accounts)
    store(accounts, call("today", "acct_alpha", (DAY + 9) * MS_PER_DAY))
    with full_share(services):
        answer = get("x", who="alpha")
        assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_at_once")
        assert len(calls(get("today", who="alpha"))) == 1
        assert len(calls(get("x"))) == 1
    assert len(calls(get("x", who="alpha"))) == 1


def test_odd_ids(settings: Settings, accounts: Connection, get: Get, indexed: bool) -> None:
    """Whatever an id holds: it is a text like any other."""
    ids = ["a/b//c", "ü ␀%", "'; --", "x" * 200]
    store(accounts, *(call(call_id, "acct_alpha") for call_id in ids))
    prune(settings, accounts)
    if indexed:
        compact_archive(settings, now=AFTER_ALL)
    for call_id in ids:
        assert [explained["call_id"] for explained in calls(get(call_id))] == [call_id]
    for unknown in ("a\0", "a/b/c", "x" * 199, ""):
        assert get(unknown).status_code == 404


def test_what_is_archived_after_the_index_is_found(settings: Settings, accounts: Connection, get: Get) -> None:
    """An index file answers for the data files that it was made of alone."""
    store(accounts, call("first", "acct_alpha"))
    prune(settings, accounts)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert index_some(table) == 2
        assert index_some(table) is None
    store(accounts, call("second", "acct_alpha", START_MS + 5))
    written_when_ended(accounts)
    archive_calls(settings, now=True)
    accounts.execute("DELETE FROM call_cdr WHERE call_id = 'second'")
    accounts.execute("DELETE FROM archive_outbox")
    for call_id in ("first", "second"):
        assert len(calls(get(call_id))) == 1
