"""Sums over archived calls: each engine gives what PostgreSQL gives over the same rows, to the micro."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
from pydantic import SecretStr

from benchmarks.archive import rows
from export_app.stats.periods import starts
from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from tests.databases import store
from tests.factories import BUSY, Call, call_row, price_of
from tests.sail import running_sail
from tollbook.archive.catalog import open_catalog
from tollbook.archive.engine.question import Question
from tollbook.archive.engine.sql import GROUPS
from tollbook.archive.reader import Archive
from tollbook.archive.rows import epoch_ms
from tollbook.config import Settings
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey, Periods
from tollbook.model.details import Details
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store.calls.grouping import GROUP_COLUMNS
from tollbook.store.calls.stats import sum_calls
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

MARCH = 1_772_323_200_000  # 2026-03-01T00:00:00Z
DAYS = 40
# Each has files of its own, so that they are few.
ACCOUNTS = ("acme", "acme", "acme", "other", None, "_none", "_", "'; DROP TABLE calls; --", "e\u0301a")
BERLIN = ZoneInfo("Europe/Berlin")

# What is none of these is itself: quotes, comments, wildcards, escapes, letters of two code points, right to left, and
# what is a number, a name or a keyword elsewhere.
HOSTILE = (
    "'; DROP TABLE calls; --", '"', "\\", "%", "_", "$1", "?", "{x}", "NULL", "", " ", "_none", "_", "e\u0301a", "🇩🇪🇫🇷",
    "\u202eabc", "ẞ", "ß", "İ", "a\nb", "a\tb", "٣٤", "++49", "+", "\ufeff1", "x" * 200,
)  # fmt: skip


def made(count: int, *, seed: int = 1) -> list[Call]:
    """Make calls of every kind, each text hostile at times, with amounts that no float holds."""
    dice = random.Random(seed)

    def text(*usual: str | None) -> str | None:
        return dice.choice(HOSTILE) if dice.randrange(3) == 0 else dice.choice(usual)

    calls: list[Call] = []
    for number in range(count):
        start = MARCH + dice.randrange(DAYS * 24) * MS_PER_HOUR + dice.choice((0, 1, -1, dice.randrange(MS_PER_HOUR)))
        waited = dice.choice((None, 0, dice.randrange(60_000), 2**40))
        row = call_row(
            f"{number} {dice.choice(HOSTILE)}", dice.choice(ACCOUNTS), start,
            switch=dice.choice(("fs1", "fs2")), direction=dice.choice(("inbound", "outbound", "internal")),
            from_num=text("1001", "+49301234") or "", to_num=text("+4930", "+49301", "4930", "110") or "",
            billsec=dice.choice((0, 1, 59, 60, 2**31 - 1)), hangup_cause=text("NORMAL_CLEARING", None),
            queue_id=text("support", None), agent_id=text("1001", None),
            details=Details(
                talk_ms=dice.choice((None, 0, 61_234)),
                wait_ms=waited, ring_ms=dice.choice((None, 0, 7_001)), codec=text("PCMA", None),
                gateway=text("carrier", None), voicemail=dice.choice((None, True, False)),
                sip_call_id=text("1@a", None), sip_status=dice.choice((None, 200, 486)),
                vars={"a": dice.choice(HOSTILE)}, hung_up_by=dice.choice((None, "caller", "callee")),
            ),
            trunk_root=dice.choice((True, False)),
        )  # fmt: skip
        if dice.randrange(4) == 0:
            row = msgspec.structs.replace(row, **BUSY)
        cost = dice.choice((None, 0, 1, 2**53 + 1, 2**53 - 1, 10**15 + number))
        destination = dice.choice(("Germany", "Germany, mobile", None))
        calls.append((row, price_of(row, cost, dice.choice(("EUR", "USD", None)), destination)))
    return calls


PERIOD = (MARCH - MS_PER_DAY, MARCH + (DAYS + 1) * MS_PER_DAY)
GROUPINGS: list[tuple[str | Periods, ...]] = [
    (),
    *((name,) for name in GROUPS),
    ("prefix", "disposition"),
    ("account_id", "queue_id"),
    *(
        (Periods(starts=list(starts(unit, BERLIN, *PERIOD))), *more)
        for unit, more in (("hour", ()), ("day", ()), ("month", ()), ("day", ("prefix",)), ("hour", ("disposition",)))
    ),
    (Periods(starts=[0]),),
]
FILTERS = [
    Filters(),
    Filters(direction="inbound"),
    Filters(disposition="busy"),
    Filters(number="+4930"),
    Filters(min_billsec=60),
    Filters(voicemail=True, sip_status=486),
    Filters(hung_up_by="caller"),
    Filters(destination="Germany"),
    Filters(sip_call_id="1@a"),
]
HOSTILE_FILTERS = [
    *(Filters(number=text) for text in HOSTILE if text),
    *(Filters(queue_id=text, agent_id="1001") for text in HOSTILE if text),
    *(Filters(gateway=text, codec="PCMA") for text in HOSTILE if text),
    *(Filters(sip_call_id=text) for text in HOSTILE if text),
    *(Filters(var=f"a:{text}") for text in HOSTILE if text),
]
WHOSE: list[Accounts] = [
    EveryAccount(),
    OneAccount("acme"),
    OneAccount("acme", hides_carriers=True),
    *map(OneAccount, ("nobody", *filter(None, ACCOUNTS[3:]))),
]


def questions(step: int) -> Iterator[Question]:
    """Every grouping, every filter, everyone's calls, and periods that begin and end between calls.

    Of the filters that are hostile texts, only one of `step`; with 1, each grouping twice.
    """
    since, until = PERIOD

    def asked(groups: tuple[str | Periods, ...], accounts: Accounts, filters: Filters, digits: int) -> Question:
        selection = Selection(accounts=accounts, since=since, until=until, filters=filters)
        return Question(selection=selection, groups=groups, prefix_digits=digits)

    acme = OneAccount("acme")
    for groups in GROUPINGS:
        yield asked(groups, EveryAccount(), Filters(), 4)
        if step == 1:
            yield asked(groups, acme, Filters(), 1)
    for filters in (*FILTERS, *HOSTILE_FILTERS[::step]):
        yield asked(("disposition",), EveryAccount(), filters, 4)
    yield asked(("disposition",), acme, FILTERS[3], 4)
    for accounts in WHOSE:
        yield asked(("account_id",), accounts, Filters(sip_call_id="1@a"), 4)
    queues = Selection(accounts=EveryAccount(), since=since, until=until)
    for group, within_ms in itertools.product(("queue_id", "agent_id", "direction"), (0, 20_000)):
        yield Question(selection=queues, groups=(group,), within_ms=within_ms)
    since, until = MARCH + 36_000_001, MARCH + 30 * MS_PER_DAY - 1
    yield asked(("prefix",), acme, Filters(), 15)
    since, until = until, until
    yield asked((), acme, Filters(), 4)


def by_postgresql(connection: Connection, question: Question) -> dict[GroupKey, CallSums]:
    """What PostgreSQL adds up over the rows from which the archive was made."""
    sums = sum_calls(
        connection,
        question.selection,
        question.groups,
        limit=10_000,
        prefix_digits=question.prefix_digits,
        within_ms=question.within_ms,
    )
    assert not sums.more
    return dict(sums.groups) if question.groups else {(): sums.total} if sums.total.calls else {}


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with this test's database and a data directory of its own."""
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


@pytest.fixture(scope="module")
def sail() -> Iterator[str]:
    """The URL of a server that speaks Spark Connect."""
    with running_sail() as url:
        yield url


@pytest.fixture(params=["duckdb", "sail"])
def archive(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """The archive as the API reads it, with each engine."""
    if request.param == "sail":
        settings = settings.model_copy(update={"engine": SecretStr(request.getfixturevalue("sail"))})
    archive = Archive(settings, lambda: True)
    yield archive
    archive.close()


def test_what_calls_can_be_grouped_by_is_the_same_in_both_tiers() -> None:
    assert list(GROUPS) == list(GROUP_COLUMNS)


def test_fifty_thousand_keys_do_not_count(settings: Settings, database: Connection, archive: Archive) -> None:
    """Of 60,000 calls of a month, as after a re-rate of archived calls: each key is looked for where it can be."""
    database.autocommit = True
    batch = rows(60_000, 1, since_ms=MARCH)
    with open_catalog(settings, writing=True) as catalog:
        commit(ensure_table(catalog, database), uuid4(), BatchContent(rows=batch, corrections=()))
    starts, call_ids = epoch_ms(batch["start_ts"]).to_pylist(), batch["call_id"].to_pylist()
    seconds = {
        CallKey(start, call_id, "sw1"): billsec
        for start, call_id, billsec in zip(starts, call_ids, batch["billsec"].to_pylist(), strict=True)
    }
    keys = list(seconds)
    random.Random(3).shuffle(keys)
    question = Question(selection=Selection(accounts=EveryAccount(), since=0, until=MARCH + 40 * MS_PER_DAY))
    left = archive.sum_calls(question, frozenset(keys[:50_000]))[()]
    assert (left.calls, left.billsec) == (10_000, sum(seconds[key] for key in keys[50_000:]))


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.soak)])
def test_an_engine_gives_the_sums_of_postgresql(
    settings: Settings, database: Connection, archive: Archive, step: int
) -> None:
    """Every grouping, filter and account, over calls with hostile texts: equal in each member of each group."""
    database.autocommit = True
    store(database, *made(3_000))
    archive_calls(settings, now=True)
    asked = 0
    for question in questions(step):
        wanted = by_postgresql(database, question)
        assert archive.sum_calls(question, frozenset()) == wanted, question
        asked += bool(wanted)
    assert asked > 35
