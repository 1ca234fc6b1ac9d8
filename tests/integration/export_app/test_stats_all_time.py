"""`/v1/stats` over both tiers: the cubes, the rows with the archive's engine, and PostgreSQL alone say the same."""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from flask.testing import FlaskClient

from export_app.app import create_app
from export_app.context import Services
from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from maintenance.prune.run import prune_days
from tests.factories import BUSY, UP, Call, call, call_row, price_of
from tests.integration.export_app.api_requests import Get
from tests.integration.export_app.calls_of_days import put
from tollbook.config import Settings
from tollbook.model.details import Details
from tollbook.model.vocabulary import DIRECTIONS
from tollbook.store import keys
from tollbook.store.database import Connection, scalar
from tollbook.times import MS_PER_DAY, instant

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = 20_780  # 2026-11-23
FIRST = TODAY - 45
CALLS = 1500


def at(text: str) -> int:
    """A time of Berlin's clocks in epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1000


#: Ends of a period within a quarter-hour, of the days that go and of those that stay.
ODD = (at("2026-10-12T10:07") + 123, at("2026-11-20T23:52") + 7)


@cache
def made(count: int = CALLS, seed: int = 3) -> list[Call]:
    """Calls of 45 days, over the night in which the clock shows an hour twice, of every outcome and two currencies."""
    dice = random.Random(seed)
    calls: list[Call] = []
    for number in range(count):
        start = dice.randrange(FIRST * MS_PER_DAY, (TODAY + 1) * MS_PER_DAY)
        if dice.randrange(4) == 0:
            start = at("2026-10-25T00:00") + dice.randrange(5 * 3_600_000)
        elif dice.randrange(4) == 0:
            start = dice.choice(ODD) + dice.randrange(-600_000, 600_000)
        queue, agent, waited = dice.choice(("support", "sales", None)), None, None
        if queue:
            agent = dice.choice(("ann", "bob", None))
            waited = dice.choice((None, dice.randrange(60_000)))
        answered = dice.randrange(3) > 0
        changed: dict[str, Any] = BUSY if not answered else {"billsec": dice.randrange(600)}
        if answered and queue and not agent:
            changed["disposition"] = dice.choice(("abandoned", "answered", "lost"))
        account = dice.choice(("acme", "acme", "other", None))
        details = Details(
            wait_ms=waited,
            talk_ms=dice.randrange(10**6) if agent and answered else None,
            ring_ms=dice.choice((None, dice.randrange(9000))),
        )
        row = call_row(
            f"{number:05d}-{dice.randrange(16**6):06x}", account, start,
            **{"direction": dice.choice(DIRECTIONS), "to_num": f"+49{dice.randrange(10**3)}", "queue_id": queue,
               "agent_id": agent, "details": details} | changed,
        )  # fmt: skip
        cost = None if dice.randrange(9) == 0 else dice.randrange(10**7)
        destination = dice.choice(("Germany", "Germany mobile", None)) if answered else None
        calls.append((row, price_of(row, cost, "USD" if account == "other" else "EUR", destination)))
    return calls


#: Periods whose ends lie on quarter-hours, on no second, and on none of any kind.
WINDOWS = {
    "October": (at("2026-10-01T00:00"), at("2026-11-01T00:00")),
    "odd": ODD,
    "odd and gone": (ODD[0], at("2026-10-15T00:00")),
    "a minute": (at("2026-10-25T02:30"), at("2026-10-25T02:31")),
    "all": (at("2024-06-01T00:00"), (TODAY + 1) * MS_PER_DAY),
    "kept": ((TODAY - 10) * MS_PER_DAY + 1, (TODAY - 2) * MS_PER_DAY + 17),
}
GROUPS = (
    None, "day", "month", "account", "direction", "disposition", "hangup_cause", "queue", "agent", "prefix",
    "destination", "day,disposition", "queue,agent", "account,direction", "month,destination", "day,queue",
    "direction,prefix",
)  # fmt: skip
FILTERS: tuple[dict[str, object], ...] = (
    {}, {"direction": "inbound"}, {"disposition": "answered"}, {"queue_id": "support"}, {"agent_id": "ann"},
    {"number": "+491"}, {"min_billsec": 100}, {"queue_id": "sales", "disposition": "abandoned"},
    {"destination": "Germany"},
)  # fmt: skip


def questions() -> Iterator[dict[str, object]]:
    """Yield every window with every grouping, and each filter with some of them."""
    dice = random.Random(4)
    for (since, until), group_by in product(WINDOWS.values(), GROUPS):
        asked = {"since": since, "until": until, "tz": dice.choice(("UTC", "Europe/Berlin", "Asia/Kathmandu"))}
        if group_by:
            asked |= {"group_by": group_by, "limit": 10_000}
        for filters in (FILTERS[0], *dice.sample(FILTERS[1:], 1)):
            yield asked | filters


@dataclass(frozen=True, kw_only=True)
class Book:
    """A database with calls, and a function that asks all questions, or a sample, with both keys."""

    connection: Connection
    settings: Settings
    answers: Callable[[int | None], list[dict[str, Any]]]

    def without_cubes(self) -> None:
        """Let nobody trust a sum, as before the first rebuild."""
        self.connection.execute("UPDATE sum_state SET unbuilt_before = %s", ((TODAY + 5) * MS_PER_DAY,))

    def with_cubes(self) -> None:
        """Let the sums be trusted again, which went on being kept."""
        self.connection.execute("UPDATE sum_state SET unbuilt_before = 0")

    def prune(self) -> None:
        """Archive all calls, and leave the newest 30 days in PostgreSQL."""
        archive_calls(self.settings, now=True)
        assert prune_days(self.settings, today=TODAY).days == 15


@pytest.fixture
def book(accounts: Connection, settings: Settings, client: FlaskClient, key: str, operator_key: str) -> Book:
    """The calls, of which two are up: one of the days that stay, and one of the days that go."""
    put(accounts, made())
    up = [call(f"up{day}", "acme", day * MS_PER_DAY + 5, queue_id="support", **UP) for day in (FIRST + 9, TODAY - 3)]
    put(accounts, up)

    def answers(count: int | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        all_asked = list(product((operator_key, key), questions()))
        for secret, asked in all_asked if count is None else random.Random(5).sample(all_asked, count):
            answer = client.get("/v1/stats", query_string=asked, headers={"x-api-key": secret})
            assert answer.status_code == 200, (asked, answer.text)
            found.append({"asked": asked, **comparable(answer.get_json())})
        return found

    return Book(connection=accounts, settings=settings, answers=answers)


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """An answer whose groups are in no order: of two with as many calls, any may be the first."""
    groups = sorted(body["groups"], key=str)
    return body | {"groups": groups}


@pytest.mark.parametrize("count", [40, pytest.param(None, marks=pytest.mark.soak)])
def test_rows_cubes_and_the_archive_say_the_same(book: Book, count: int | None) -> None:
    """Of questions to 1,500 calls: by PostgreSQL's rows; by cubes; after a prune by cubes; by rows and archive."""
    book.without_cubes()
    by_rows = book.answers(count)
    assert sum(answer["total"]["calls"] > 0 for answer in by_rows) > len(by_rows) // 2
    book.with_cubes()
    assert book.answers(count) == by_rows
    book.prune()
    assert book.answers(count) == by_rows
    book.without_cubes()
    assert book.answers(count) == by_rows


def places(body: dict[str, Any]) -> list[tuple[object, ...]]:
    """Where each group of an answer belongs: by time, then by calls, most first."""
    return [(*(group[name] for name in ("day", "month") if name in group), -group["calls"]) for group in body["groups"]]


def test_groups_are_the_first_of_their_order(book: Book, client: FlaskClient, operator_key: str) -> None:
    """By time, then by calls; whichever source answers, `limit` leaves out the last ones, and `more` says so."""
    for change in (book.without_cubes, book.with_cubes, book.prune, book.without_cubes):
        change()
        for group_by in ("prefix", "queue,agent", "destination", "day,disposition", "month"):
            asked = {"since": WINDOWS["all"][0], "until": WINDOWS["all"][1], "group_by": group_by}
            whole, cut = (
                client.get(
                    "/v1/stats", query_string=asked | {"limit": limit}, headers={"x-api-key": operator_key}
                ).get_json()
                for limit in (10_000, 2)
            )
            assert (whole["more"], cut["more"], cut["total"]) == (False, True, whole["total"])
            assert places(whole) == sorted(places(whole))
            assert places(cut) == places(whole)[:2]


def test_the_month_asked_after_it_was_pruned_is_whole(book: Book, client: FlaskClient, key: str) -> None:
    """October of Berlin, whose clocks show an hour twice: as the calls themselves add up."""
    book.prune()
    since, until = WINDOWS["October"]
    assert scalar(book.connection, "SELECT window_start FROM hot_window") > at("2026-10-23T00:00")
    rows = [(row, price) for row, price in made() if row.account_id == "acme" and since <= row.start_ts < until]
    asked = {"since": since, "until": until, "group_by": "day", "tz": "Europe/Berlin"}
    body = client.get("/v1/stats", query_string=asked, headers={"x-api-key": key}).get_json()
    assert (body["from_ts"], body["until_ts"], len(body["groups"])) == (since, until, 31)
    total = body["total"]
    assert (total["calls"], total["billsec"]) == (len(rows) + 1, sum(row.billsec or 0 for row, _ in rows))
    micros = sum(price.cost_micros or 0 for _, price in rows if price)
    assert total["cost"] == [{"currency": "EUR", "cost_micros": micros}]
    (night,) = [group for group in body["groups"] if group["day"] == "2026-10-25"]
    assert night["calls"] == sum(at("2026-10-25T00:00") <= row.start_ts < at("2026-10-26T00:00") for row, _ in rows)


def test_an_account_learns_nothing_of_others_from_sums(book: Book, client: FlaskClient, key: str) -> None:
    """Not their queues, agents, destinations or accounts, in any tier; and no gateways."""
    book.prune()
    mine = {row.agent_id for row, _ in made() if row.account_id == "acme"}
    for trusted in (book.with_cubes, book.without_cubes):
        trusted()
        for group_by in ("account", "agent", "queue,agent", "destination"):
            asked = {"since": WINDOWS["all"][0], "until": WINDOWS["all"][1], "group_by": group_by, "limit": 10_000}
            body = client.get("/v1/stats", query_string=asked, headers={"x-api-key": key}).get_json()
            assert body["total"]["calls"] == sum(row.account_id == "acme" for row, _ in made()) + 2
            assert all(group.get("account_id", "acme") == "acme" for group in body["groups"])
            assert {group["agent_id"] for group in body["groups"] if "agent_id" in group} <= mine
    refused = client.get("/v1/stats", query_string={"group_by": "gateway"}, headers={"x-api-key": key})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "operator_only")


def test_a_call_of_both_tiers_counts_once(book: Book, client: FlaskClient, key: str) -> None:
    """One that was changed after it was archived, and whose day is gone, is in PostgreSQL as well: as it is now."""
    book.prune()
    mine = [(row, price) for row, price in made() if row.account_id == "acme" and row.answered]
    row, price = min(mine, key=lambda one: one[0].start_ts)
    put(book.connection, [(msgspec.structs.replace(row, billsec=7777), price)])
    asked = {"since": row.start_ts, "until": row.start_ts + 1, "group_by": "hangup_cause"}
    body = client.get("/v1/stats", query_string=asked, headers={"x-api-key": key}).get_json()
    assert (body["total"]["calls"], body["total"]["billsec"]) == (1, 7777)


def test_a_name_that_the_cubes_do_not_keep_is_read_from_the_calls(
    accounts: Connection, settings: Settings, get: Get
) -> None:
    """It is the same group from either source, in full: before a prune and after, and whatever else is asked."""
    long = "q" * 201
    hours = [at("2026-10-12T10:05"), at("2026-10-12T10:20"), at("2026-10-12T11:10")]
    put(accounts, [call(f"a{start}", "acme", start, queue_id=long) for start in hours])
    asked = f"since={hours[0]}&until={hours[-1] + 1}&group_by=queue"

    def groups(more: str = "") -> list[tuple[str, int]]:
        found = get(asked + more, path="/v1/stats").get_json()["groups"]
        return [(group["queue_id"], group["calls"]) for group in found]

    by_rows = groups("&min_billsec=1")
    archive_calls(settings, now=True)
    prune_days(settings, today=TODAY)
    assert groups() == groups("&min_billsec=1") == by_rows == [(long, 3)]


def test_what_the_retention_dropped_is_in_no_sum_that_lacks_it(
    accounts: Connection, settings: Settings, get: Get
) -> None:
    """Sums know the calls of dropped months, and answer; a question that needs the calls themselves is refused."""
    now = instant(dt.datetime.now(dt.UTC).isoformat())
    old = now - 200 * MS_PER_DAY
    put(accounts, [call("old", "acme", old - old % MS_PER_DAY + 7), call("new", "acme", now - MS_PER_DAY)])
    archive_calls(settings, now=True)
    prune_days(settings, today=now // MS_PER_DAY)
    short = settings.model_copy(update={"archive_retention_months": 3})
    services = Services.from_settings(short)
    services.open()
    compact_archive(short, now=dt.datetime.now(dt.UTC))
    client, secret = create_app(services).test_client(), keys.create(accounts, account_id="acme", scopes=["cdr"])[1]

    def ask(**asked: object) -> tuple[int, Any]:
        answer = client.get("/v1/stats", query_string=asked, headers={"x-api-key": secret})
        return answer.status_code, answer.get_json().get("code") or answer.get_json()["total"]["calls"]

    since = old - old % MS_PER_DAY
    assert ask(since=since) == (200, 2)
    assert ask(since=since, group_by="disposition") == (200, 2)
    for asked in ({"group_by": "prefix"}, {"number": "+49"}, {"group_by": "hangup_cause"}):
        assert ask(since=since, **asked) == (422, "not_kept")
        assert ask(since=since + MS_PER_DAY, **asked) == (200, 1)  # no call began between then and the first kept month
    assert ask(since=since + 5) == (422, "not_kept")
    services.close()
