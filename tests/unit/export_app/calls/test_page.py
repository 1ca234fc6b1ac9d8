"""Pages: what a query asks for, and where the next page begins."""

import datetime as dt
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from export_app.auth.identity import Identity
from export_app.calls.cursor import MAX_AGE_S, CallsCursor, ChangesCursor, Cursor, SyncCursor, encode
from export_app.calls.page import Page, page_of_calls, page_of_changes
from export_app.calls.query import CallsQuery, SyncStart, SyncStep, check_step, first_step
from export_app.calls.query import resolve_query as resolve
from export_app.web.errors import ApiError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.filters import Filters
from tollbook.model.selection import ChangePosition, Changes, Selection
from tollbook.model.tiers import read_columns
from tollbook.store.calls.changes import ChangedRows
from tollbook.store.days.sync_window import SyncWindow
from tollbook.store.keys import ApiKey

NOW = 1_790_000_000_000
MADE_S = NOW // 1000 - 60
EPOCH = "0123456789abcdef" * 2
LONG = Filters(direction="inbound", min_billsec=60)


def identity(account_id: str | None, key_hash: bytes = b"k" * 32) -> Identity:
    scopes = ("cdr",) if account_id else ("operator",)
    key = ApiKey(
        key_id=1, hint="sk_", account_id=account_id, scopes=scopes, networks=None,
        created_at=dt.datetime.now(dt.UTC), last_used_at=None, revoked_at=None,
    )  # fmt: skip
    return Identity(key=key, key_hash=key_hash)


ACME = identity("acme")


def resolve_query(query: CallsQuery, who: Identity, now_ms: int) -> Selection | SyncStart | SyncStep:
    """Resolve a query; each number has one other spelling, in which the account that was named can be seen."""
    return resolve(query, who, now_ms, lambda account_id, number: {f"{account_id}:{number}"})


def sent(cursor: Cursor | None = None, **query: object) -> CallsQuery:
    if cursor is not None:
        query["cursor"] = encode(cursor, ACME.key_hash)
    return CallsQuery.model_validate(query)


def walking(filters: Filters = LONG, made_s: int = MADE_S) -> CallsCursor:
    return CallsCursor(
        filters=filters, made_s=made_s, since=5, until=50, order="asc", start_ts=30, call_id="c", switch="fs1"
    )


def changing(updated_since: int = 5) -> ChangesCursor:
    return ChangesCursor(
        filters=LONG, made_s=MADE_S, epoch=EPOCH, updated_since=updated_since, changed=700, start_ts=30, call_id="c",
        switch="fs1",
    )  # fmt: skip


def synced(made_s: int = MADE_S) -> SyncCursor:
    return SyncCursor(filters=LONG, made_s=made_s, epoch=EPOCH, first=7)


SELECTED = Selection(
    accounts=OneAccount("acme"), since=5, until=50, order="asc", after=CallKey(30, "c", "fs1"), filters=LONG
)


def test_until_is_now_when_left_out() -> None:
    """And stays that now for the whole walk: the cursor holds it."""
    first = resolve_query(sent(), ACME, NOW)
    assert first == Selection(accounts=OneAccount("acme"), since=0, until=NOW)
    assert resolve_query(sent(walking()), ACME, NOW) == SELECTED


@pytest.mark.parametrize(
    "query", [{}, {"since": 5, "until": 50, "order": "asc", "direction": "inbound", "min_billsec": 60, "format": "csv"}]
)
def test_a_cursor_goes_with_its_filters_or_none(query: dict[str, object]) -> None:
    """The format, the fields and the limit are no filters."""
    assert resolve_query(sent(walking(), **query, limit=7, fields="call_id"), ACME, NOW) == SELECTED


@pytest.mark.parametrize(
    ("query", "was"),
    [
        ({"since": 6}, "made with since=5"),
        ({"until": NOW}, "made with until=50"),
        ({"order": "desc"}, "made with order=asc"),
        ({"direction": "outbound"}, "made with direction=inbound"),
        ({"disposition": "busy"}, "made without disposition"),
        ({"number": "+49"}, "made without number"),
        ({"queue_id": "q"}, "made without queue_id"),
        ({"agent_id": "a"}, "made without agent_id"),
        ({"min_billsec": 0}, "made with min_billsec=60"),
        ({"updated_since": 5}, "made without updated_since"),
    ],
)
def test_a_cursor_of_another_walk_is_refused(query: dict[str, object], was: str) -> None:
    """Or a walk would skip calls without a word."""
    with pytest.raises(ApiError, match=was) as refused:
        resolve_query(sent(walking(), **query), ACME, NOW)
    assert (refused.value.status, refused.value.code) == (400, "cursor_mismatch")


@pytest.mark.parametrize("cursor", [changing(), synced()])
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_cursor_of_changes_has_no_window(cursor: Cursor, name: str) -> None:
    """Calls and changes are different walks."""
    with pytest.raises(ApiError, match=f"made without {name}"):
        resolve_query(sent(cursor, **{name: 5}), ACME, NOW)


def test_a_cursor_of_another_key_is_refused() -> None:
    """With what to do about it."""
    with pytest.raises(ApiError, match="start again") as refused:
        resolve_query(sent(walking()), identity("other", b"o" * 32), NOW)
    assert (refused.value.status, refused.value.code) == (400, "bad_cursor")


def test_a_cursor_expires() -> None:
    """After a week, to the second; the cursor of a sync does not: what it stands for decides."""
    at = NOW // 1000 - MAX_AGE_S
    assert resolve_query(sent(walking(made_s=at)), ACME, NOW) == SELECTED
    with pytest.raises(ApiError, match="more than 7 days old") as refused:
        resolve_query(sent(walking(made_s=at - 1)), ACME, NOW)
    assert (refused.value.status, refused.value.code) == (400, "expired_cursor")
    assert isinstance(resolve_query(sent(synced(1)), ACME, NOW), SyncStep)


@pytest.mark.parametrize(("who", "theirs"), [(ACME, OneAccount("acme")), (identity(None), EveryAccount())])
def test_the_account_is_the_keys(who: Identity, theirs: Accounts) -> None:
    """For each way to ask."""
    ways = [sent(), sent(walking()), sent(changing()), sent(synced(1))]
    for query in ways:
        wanted = resolve_query(query, who, NOW)
        found = wanted.changes if isinstance(wanted, SyncStep) else wanted
        assert isinstance(found, Changes | Selection)
        assert found.accounts == theirs


def test_changes_begin_from_a_time_or_from_where_the_last_sync_ended() -> None:
    """By the cursor of the sync before, at the very transaction."""
    assert resolve_query(sent(updated_since=9, direction="inbound", min_billsec=60), ACME, NOW) == SyncStart(
        updated_since=9, filters=LONG
    )
    walk = resolve_query(sent(synced(8)), ACME, NOW)
    changes = Changes(accounts=OneAccount("acme"), first=7, filters=LONG)
    assert walk == SyncStep(updated_since=8000, epoch=EPOCH, changes=changes)


def code_of(refused: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return refused.value.status, refused.value.code


def test_a_sync_begins_after_all_that_may_be_missing() -> None:
    """Not with a transaction whose changes were pruned, and not with a time before their end."""
    window, start = SyncWindow(after=600, since_ms=10), SyncStart(updated_since=10, filters=LONG)
    assert first_step(start, ACME, window, epoch=EPOCH, first=500).changes.first == 601
    assert first_step(start, ACME, window, epoch=EPOCH, first=700).changes.first == 700
    with pytest.raises(ApiError, match="10 or later") as refused:
        first_step(replace(start, updated_since=9), ACME, window, epoch=EPOCH, first=700)
    assert code_of(refused) == (400, "too_long_ago")


@pytest.mark.parametrize(("cursor", "first"), [(changing(), 700), (synced(), 7)])
@pytest.mark.parametrize(
    ("after", "epoch", "horizon", "code"),
    [
        (-1, EPOCH, 0, None),
        (0, EPOCH, 0, "too_long_ago"),
        (-1, EPOCH[::-1], 0, "sync_reset"),
        (0, EPOCH[::-1], 0, "sync_reset"),
        (-1, EPOCH, -1, "sync_reset"),
    ],
)
def test_a_sync_goes_on_in_its_own_history_where_nothing_is_missing(
    cursor: Cursor, first: int, after: int, epoch: str, horizon: int, code: str | None
) -> None:
    """`after` and `horizon` are counted from the cursor's transaction."""
    step = resolve_query(sent(cursor), ACME, NOW)
    assert isinstance(step, SyncStep)
    window = SyncWindow(after=first + after, since_ms=10)
    if code is None:
        check_step(step, window, epoch=epoch, horizon=first + horizon)
        return
    with pytest.raises(ApiError, match="sync with updated_since") as refused:
        check_step(step, window, epoch=epoch, horizon=first + horizon)
    assert code_of(refused) == (400, code)


def row(key: CallKey, *more: object) -> tuple[object, ...]:
    """A row as it is read to show to_num: the columns that are always read, and what comes after them."""
    values = {**key._asdict(), "to_num": f"+49{key.start_ts}"}
    return (*(values.get(name) for name in read_columns(["to_num"])), *more)


def made(count: int, limit: int = 2) -> Page:
    found = [row(CallKey(9 - number, f"c{number}", "fs1")) for number in range(count)]
    return page_of_calls(found, SELECTED, sent(fields="to_num", limit=limit), ACME.key_hash, NOW)


def test_the_next_page_begins_after_the_last_row_of_this_one() -> None:
    """The one row more that was read is not shown: it only says that there is a next page."""
    page = made(3)
    assert (page.columns, list(page.rows())) == (("to_num",), [("+499",), ("+498",)])
    following = resolve_query(sent(limit=2).model_copy(update={"cursor": page.next_cursor}), ACME, NOW)
    assert following == replace(SELECTED, after=CallKey(8, "c1", "fs1"))


@pytest.mark.parametrize("fields", [None, "switch,start_ts,call_id", "updated_ts,parts,call_id"])
def test_columns_are_shown_in_the_order_asked_for(fields: str | None) -> None:
    """Whatever else is read with them."""
    query = sent(fields=fields) if fields else sent()
    page = page_of_calls([read_columns(query.columns)], SELECTED, query, ACME.key_hash, NOW)
    assert list(page.rows()) == [page.columns] == [query.columns]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_last_page_has_no_cursor(count: int) -> None:
    """A full page that is the last has none either."""
    page = made(count)
    assert (len(page), page.next_cursor, page.sync_cursor) == (count, None, None)


def changed_page(count: int) -> Page:
    found = [row(CallKey(number, "c", "fs1"), 600 + number) for number in range(min(count, 2))]
    last = ChangePosition(601, CallKey(1, "c", "fs1")) if count > 2 else None
    walk = resolve_query(sent(changing()), ACME, NOW)
    assert isinstance(walk, SyncStep)
    query = sent(fields="to_num", limit=2)
    return page_of_changes(ChangedRows(rows=found, last=last, horizon=900), walk, query, ACME.key_hash, NOW)


def test_changes_go_on_after_the_last_row_and_end_with_a_sync_cursor() -> None:
    """Which begins with the oldest transaction that had not ended."""
    page = changed_page(3)
    assert (list(page.rows()), page.sync_cursor) == ([("+490",), ("+491",)], None)
    following = resolve_query(CallsQuery(cursor=page.next_cursor), ACME, NOW)
    after = ChangePosition(601, CallKey(1, "c", "fs1"))
    changes = Changes(accounts=OneAccount("acme"), first=601, after=after, filters=LONG)
    assert following == SyncStep(updated_since=5, epoch=EPOCH, changes=changes)
    last = changed_page(2)
    assert (len(last), last.next_cursor) == (2, None)
    following = resolve_query(CallsQuery(cursor=last.sync_cursor), ACME, NOW)
    changes = Changes(accounts=OneAccount("acme"), first=900, filters=LONG)
    assert following == SyncStep(updated_since=NOW, epoch=EPOCH, changes=changes)


def test_a_cursor_needs_no_quotes_in_a_url() -> None:
    """Neither does that of a sync."""
    for cursor in (made(3).next_cursor, changed_page(0).sync_cursor):
        assert urlencode({"c": cursor}) == f"c={cursor}"
