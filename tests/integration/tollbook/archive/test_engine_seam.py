"""Sums over both tiers: what PostgreSQL has and what the archive adds are together every call once, as it is now."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.databases import store
from tests.factories import START_MS, UP, Call, call, price_of
from tollbook.archive.engine.question import Question
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import QuestionTooLarge
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store import row_security
from tollbook.store.calls import call_rows, seam
from tollbook.store.calls.seam import read_seam
from tollbook.store.calls.stats import sum_calls
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

FIRST = START_MS // MS_PER_DAY
DAYS = 37
TODAY = FIRST + DAYS  # PostgreSQL keeps the last 30 days
GROUPS = ("account_id", "disposition")


def summed(calls: Iterable[Call]) -> dict[GroupKey, CallSums]:
    """What calls add up to, by hand."""
    groups: defaultdict[GroupKey, CallSums] = defaultdict(CallSums)
    for row, price in calls:
        up = row.end_ts is None
        cost = None if price is None else price.cost_micros
        groups[row.account_id, row.disposition] = groups[row.account_id, row.disposition].plus(
            CallSums(
                calls=1,
                open=int(up),
                answered=0 if up else row.answered,
                billsec=row.billsec or 0,
                unrated=int(not up and cost is None),
                cost=() if cost is None else (("EUR", cost),),
            )
        )
    return dict(groups)


def both_tiers(
    connection: Connection, archive: Archive, accounts: Accounts, since: int, until: int, filters: Filters
) -> dict[GroupKey, CallSums]:
    """The sums as `tollbook.archive.engine.question` describes it."""
    selection = Selection(accounts=accounts, since=since, until=until, filters=filters)
    with row_security.reading(connection, accounts):
        found = dict(sum_calls(connection, selection, GROUPS, limit=1000).groups)
        found_seam = read_seam(connection, selection)
    if found_seam.archived is not None:
        question = Question(selection=found_seam.archived, groups=GROUPS)
        for key, sums in archive.sum_calls(question, found_seam.excluded).items():
            found[key] = found.get(key, CallSums()).plus(sums)
    return found


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with this test's database and a data directory of its own."""
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


def test_every_call_counts_once_as_it_is_now(settings: Settings, database: Connection) -> None:
    """Late calls, changed and moved ones, before and after their archiving, deleted ones, and calls that are up."""
    database.autocommit = True
    accounts = ("acme", "other", None)
    calls: dict[CallKey, Call] = {}

    def put(*rows: Call) -> None:
        store(database, *rows)
        calls.update((row.key, (row, price)) for row, price in rows)

    def changed(of: Call, **fields: object) -> Call:
        row = msgspec.structs.replace(of[0], **fields)
        return row, price_of(row, 123_456_789)

    put(*(
        call(f"c{number}", accounts[number % 3], FIRST * MS_PER_DAY + number * DAYS * MS_PER_DAY // 600, billsec=number)
        for number in range(600)
    ))  # fmt: skip
    old = [made for made in calls.values() if made[0].start_ts < (TODAY - 35) * MS_PER_DAY]
    put(changed(old[0], call_id="up", **UP))
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    left = database.execute("SELECT count(*) FROM call_cdr WHERE start_ts <= %s", (old[-1][0].start_ts,)).fetchone()
    assert left == (1,)
    put(*(changed(made, billsec=10_000 + number) for number, made in enumerate(old[10:20])))  # archived, then current
    put(changed(old[20], account_id="moved"), changed(old[21], disposition="busy"))
    put(changed(old[0], call_id="new and late"))
    archive = Archive(settings, lambda: True)

    def check() -> None:
        for whose in (EveryAccount(), OneAccount("acme"), OneAccount("other"), OneAccount("moved")):
            for since, until in ((0, TODAY * MS_PER_DAY), (old[5][0].start_ts, old[-1][0].start_ts + 1)):
                for filters in (Filters(), Filters(disposition="answered"), Filters(min_billsec=10_000)):
                    wanted = summed(
                        (row, price)
                        for row, price in calls.values()
                        if (whose == EveryAccount() or whose == OneAccount(row.account_id or ""))
                        and since <= row.start_ts < until
                        and (filters.disposition is None or row.disposition == filters.disposition)
                        and (filters.min_billsec is None or (row.billsec or 0) >= filters.min_billsec)
                    )
                    got = both_tiers(database, archive, whose, since, until, filters)
                    assert got == wanted, (whose, since, until, filters)

    check()
    archive_calls(settings, now=True)
    check()
    put(*(changed(made, billsec=20_000 + number) for number, made in enumerate(old[15:25])))
    gone = [old[12][0].key, old[16][0].key, old[0][0].key._replace(call_id="new and late")]
    call_rows.delete(database, gone)
    for key in gone:
        del calls[key]
    check()
    archive_calls(settings, now=True)
    check()
    archive.close()


@pytest.mark.parametrize("most", [22, 23])
def test_more_keys_than_are_looked_for_are_refused(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Changed calls, of which some still wait for the archive: with what to ask instead, and never a part."""
    monkeypatch.setattr(seam, "MAX_EXCLUDED", most)
    database.autocommit = True
    calls = [call(f"c{number}", start_ts=FIRST * MS_PER_DAY + number) for number in range(100)]
    store(database, *calls)
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    corrected = [(msgspec.structs.replace(row, billsec=7), price) for row, price in calls[:23]]
    store(database, *corrected[:20])
    archive_calls(settings, now=True)
    store(database, *corrected[20:])
    archive = Archive(settings, lambda: True)
    asked = (database, archive, OneAccount("acme"), 0, TODAY * MS_PER_DAY, Filters())
    if most == 23:
        assert both_tiers(*asked) == summed([*corrected, *calls[23:]])
    else:
        with pytest.raises(QuestionTooLarge, match="ask for less time at once"):
            both_tiers(*asked)
        assert sum(sums.calls for sums in both_tiers(*asked[:3], calls[5][0].start_ts, *asked[4:]).values()) == 95
    archive.close()


def test_a_selection_in_the_window_needs_no_archive(settings: Settings, database: Connection) -> None:
    """Nor does one that ends where it begins."""
    database.autocommit = True
    store(database, call(start_ts=FIRST * MS_PER_DAY))
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    with row_security.snapshot(database):
        everything = Selection(accounts=EveryAccount(), since=0, until=TODAY * MS_PER_DAY)
        whole = read_seam(database, everything)
        assert whole.archived is not None
        window_start = whole.archived.until
        for since, until in ((window_start, TODAY * MS_PER_DAY), (5, 5)):
            assert read_seam(database, replace(everything, since=since, until=until)).archived is None
