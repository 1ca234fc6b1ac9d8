"""`GET /v1/stats` over a real PostgreSQL: the sums, the groups, and whose calls are in them."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.calls.filters import FILTER_NAMES
from export_app.stats.schema import Stats
from tests.databases import store
from tests.factories import BUSY, UP, call_row, price_of
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

# 12:00 in Berlin of a day without a switch.
NOON = int(datetime.fromisoformat("2025-06-01T12:00+02:00").timestamp()) * 1000
MINUTE = 60_000

Get = Callable[..., TestResponse]
Ask = Callable[..., dict[str, Any]]


def row(call_id: str, start_ts: int = NOON, **changed: Any) -> Row:
    """A whole call of acme, a minute long."""
    return call_row(call_id, start_ts=start_ts, **changed)


def unanswered(call_id: str, disposition: str, start_ts: int = NOON, **changed: Any) -> Row:
    """A complete call that nobody answered."""
    return row(call_id, start_ts, **BUSY | {"disposition": disposition} | changed)


def up(call_id: str, start_ts: int = NOON, **changed: Any) -> Row:
    """A call that was answered and is still up."""
    return row(call_id, start_ts, **UP | changed)


def insert(connection: Connection, *rows: Row, cost: int | None = 21_000) -> None:
    """Store rows; an answered one costs `cost`, None makes it unrated. The plan of other is in dollars."""
    currencies = {"acme": "EUR", "other": "USD"}
    store(connection, *((row, price_of(row, cost, currencies.get(row.account_id or ""))) for row in rows))


@pytest.fixture
def get(client: FlaskClient, accounts: Connection) -> Get:
    """Ask for stats with acme's key, the operator's, or none."""
    secrets = {
        "acme": keys.create(accounts, account_id="acme", scopes=["cdr"])[1],
        "operator": keys.create(accounts, account_id=None, scopes=["operator"])[1],
        "without": keys.create(accounts, account_id="acme", scopes=["other"])[1],
    }

    def ask(who: str = "acme", **parameters: object) -> TestResponse:
        headers = {} if who == "nobody" else {"x-api-key": secrets[who]}
        return client.get(f"/v1/stats?{urlencode(parameters)}", headers=headers)

    return ask


@pytest.fixture
def ask(get: Get) -> Ask:
    """Ask for the day around noon, and give the answer, which is as the document says."""

    def stats(who: str = "acme", **parameters: object) -> dict[str, Any]:
        window = {"since": NOON - 12 * 60 * MINUTE, "until": NOON + 12 * 60 * MINUTE}
        answer = get(who, **window | parameters)
        assert answer.status_code == 200, answer.text
        Stats.model_validate_json(answer.data)
        return json.loads(answer.data)

    return stats


def test_the_total_is_what_the_calls_add_up_to(accounts: Connection, ask: Ask) -> None:
    """A call that is up is counted, and in no quotient; an unrated one is counted, and in no cost."""
    insert(accounts, row("a"), row("b", billsec=30), unanswered("c", "busy"), up("d"))
    insert(accounts, row("e", billsec=0), cost=None)
    body = ask()
    assert list(body) == ["ok", "from_ts", "until_ts", "tz", "total", "groups", "more"]
    assert body["total"] == {
        "calls": 5, "open": 1, "answered": 3, "asr": 0.75, "billsec": 90, "acd_sec": 30.0, "minutes": 1.5,
        "unrated": 1, "cost": [{"currency": "EUR", "cost_micros": 42_000}],
        "wait_ms": 0, "wait_calls": 0, "ring_ms": 0, "ring_calls": 0,
    }  # fmt: skip
    assert (body["groups"], body["more"], body["tz"]) == ([], False, "UTC")


def test_without_calls_nothing_is_divided(ask: Ask) -> None:
    body = ask()
    assert body["total"] == {
        "calls": 0, "open": 0, "answered": 0, "asr": None, "billsec": 0, "acd_sec": None, "minutes": 0.0,
        "unrated": 0, "cost": [], "wait_ms": 0, "wait_calls": 0, "ring_ms": 0, "ring_calls": 0,
    }  # fmt: skip


def test_since_is_in_and_until_is_not(accounts: Connection, ask: Ask) -> None:
    insert(accounts, row("a", NOON - 1), row("b", NOON), row("c", NOON + 9), row("d", NOON + 10))
    assert ask(since=NOON, until=NOON + 10)["total"]["calls"] == 2


def test_two_currencies_are_never_added(accounts: Connection, ask: Ask) -> None:
    """Not in the total, not in a group; and what nobody answered costs nothing in no currency."""
    insert(accounts, row("a"), row("b", account_id="other"), unanswered("c", "failed", account_id=None))
    both = [{"currency": "EUR", "cost_micros": 21_000}, {"currency": "USD", "cost_micros": 21_000}]
    body = ask("operator", group_by="direction")
    assert body["total"]["cost"] == both
    assert [(group["direction"], group["calls"], group["cost"]) for group in body["groups"]] == [("outbound", 3, both)]
    by_account = ask("operator", group_by="account")["groups"]
    costs = {group["account_id"]: group["cost"] for group in by_account}
    assert costs == {"acme": both[:1], "other": both[1:], None: []}


def test_a_price_of_no_known_currency_stands_alone(accounts: Connection, ask: Ask) -> None:
    insert(accounts, row("a"), row("b", account_id="ghost"))
    assert ask("operator")["total"]["cost"] == [
        {"currency": "EUR", "cost_micros": 21_000},
        {"currency": None, "cost_micros": 21_000},
    ]


def test_an_account_sees_its_own_calls_only(accounts: Connection, ask: Ask) -> None:
    """Whatever it groups by or filters for."""
    insert(accounts, row("a"), row("b", account_id="other", queue_id="theirs"), row("c", account_id=None))
    assert ask()["total"]["calls"] == 1
    assert [group["account_id"] for group in ask(group_by="account")["groups"]] == ["acme"]
    assert ask(queue_id="theirs", group_by="queue")["groups"] == []
    assert ask("operator")["total"]["calls"] == 3


@pytest.mark.parametrize(
    ("group", "column", "values"),
    [
        ("direction", "direction", ["outbound", "inbound"]),
        ("disposition", "disposition", ["answered", "busy", None]),
        ("queue", "queue_id", ["sales", None]),
        ("agent", "agent_id", ["ann", None]),
        ("hangup_cause", "hangup_cause", ["NORMAL_CLEARING", "USER_BUSY", None]),
        ("prefix", "prefix", ["4930", "1212", "<b>x"]),
    ],
)
def test_groups_are_by_column_those_of_most_calls_first(
    accounts: Connection, ask: Ask, group: str, column: str, values: list[str | None]
) -> None:
    """A value is shown as it is stored; none is null."""
    served = {"queue_id": "sales", "agent_id": "ann"}
    insert(accounts, *(row(f"a{n}", **served) for n in range(4)))
    insert(accounts, *(unanswered(f"b{n}", "busy", to_num="1212555", hangup_cause="USER_BUSY") for n in range(2)))
    insert(accounts, up("c", direction="inbound", to_num="<b>x</b>"))
    groups = ask(group_by=group)["groups"]
    assert [group[column] for group in groups] == values
    assert sum(group["calls"] for group in groups) == 7
    assert [next(iter(group)) for group in groups] == [column] * len(values)


def test_filters_are_all_to_be_met(accounts: Connection, ask: Ask) -> None:
    insert(accounts, row("a", queue_id="q", agent_id="x"), row("b", queue_id="q"), unanswered("c", "busy"))
    insert(accounts, row("d", direction="inbound", queue_id="q", agent_id="x"))
    assert ask(queue_id="q")["total"]["calls"] == 3
    assert ask(queue_id="q", agent_id="x", direction="outbound")["total"]["calls"] == 1
    assert ask(disposition="busy")["total"]["calls"] == 1
    assert ask(queue_id="' OR true --")["total"]["calls"] == 0
    insert(accounts, row("e", to_num="+4420", billsec=90), row("f", to_num="+4420", billsec=30))
    assert ask(number="+442")["total"]["calls"] == 2
    assert ask(number="+442", min_billsec=60)["total"]["calls"] == 1


def test_time_alone_has_no_holes(accounts: Connection, ask: Ask) -> None:
    """Hours without a call are there with zeros; with a second group only what there is."""
    insert(accounts, row("a"), row("b", NOON + 150 * MINUTE))
    window = {"since": NOON, "until": NOON + 180 * MINUTE, "tz": "Europe/Berlin"}
    groups = ask(group_by="hour", **window)["groups"]
    assert [(group["hour"], group["hour_ts"], group["calls"]) for group in groups] == [
        ("2025-06-01T12:00+02:00", NOON, 1),
        ("2025-06-01T13:00+02:00", NOON + 60 * MINUTE, 0),
        ("2025-06-01T14:00+02:00", NOON + 120 * MINUTE, 1),
    ]
    answer = ask(group_by="hour,disposition", **window)
    assert answer["periods_ts"] == [group["hour_ts"] for group in groups]
    assert "periods_ts" not in ask(group_by="disposition", **window)
    both = answer["groups"]
    answered = [(group["hour"][11:16], group["disposition"]) for group in both]
    assert answered == [("12:00", "answered"), ("14:00", "answered")]


def test_both_switches_of_the_clock_are_right(accounts: Connection, ask: Ask) -> None:
    """A call in each real hour: in spring the hour 2 is not there, in autumn there are two, with a call each."""
    for night, wanted in (
        ("2025-03-30T00:00+01:00", ["00:00+01:00", "01:00+01:00", "03:00+02:00", "04:00+02:00"]),
        ("2025-10-26T01:00+02:00", ["01:00+02:00", "02:00+02:00", "02:00+01:00", "03:00+01:00"]),
    ):
        begun = int(datetime.fromisoformat(night).timestamp()) * 1000
        insert(accounts, *(row(f"{night}-{n}", begun + (60 * n + 59) * MINUTE) for n in range(4)))
        groups = ask(group_by="hour", tz="Europe/Berlin", since=begun, until=begun + 240 * MINUTE)["groups"]
        assert [(group["hour"][11:], group["calls"]) for group in groups] == [(hour, 1) for hour in wanted]


def test_a_day_is_the_time_zone_s(accounts: Connection, ask: Ask) -> None:
    """23:30 UTC is tomorrow in Berlin."""
    late = int(datetime.fromisoformat("2025-06-01T23:30+00:00").timestamp()) * 1000
    insert(accounts, row("a", late))
    window = {"since": NOON, "until": NOON + MS_PER_DAY}
    for zone, days in (
        ("UTC", {"2025-06-01": 1, "2025-06-02": 0}),
        ("Europe/Berlin", {"2025-06-01": 0, "2025-06-02": 1}),
    ):
        assert {group["day"]: group["calls"] for group in ask(group_by="day", tz=zone, **window)["groups"]} == days
    assert [group["month"] for group in ask(group_by="month", **window)["groups"]] == ["2025-06"]


def test_groups_are_bounded_and_the_total_is_of_all(accounts: Connection, ask: Ask) -> None:
    """`more` says that some were left out; one currency more does not make a group count twice."""
    insert(accounts, *(row(f"a{n}{m}", agent_id=f"agent{n}", account_id=("acme", "other")[m % 2])
                       for n in range(5) for m in range(6 - n)))  # fmt: skip
    body = ask("operator", group_by="agent", limit=2)
    assert [(group["agent_id"], group["calls"]) for group in body["groups"]] == [("agent0", 6), ("agent1", 5)]
    assert (body["more"], body["total"]["calls"]) == (True, 20)
    assert ask("operator", group_by="agent", limit=5)["more"] is False
    hours = ask(group_by="hour", limit=3)
    assert (len(hours["groups"]), hours["more"]) == (3, True)


def test_who_may_not_ask_is_told_why(get: Get) -> None:
    for who, status, code in (("nobody", 401, "missing_key"), ("without", 403, "missing_scope")):
        answer = get(who)
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    answer = get(group_by="day", tz="Mars/Olympus")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_parameter")
    assert get(since=0, until=NOON, group_by="hour").get_json()["message"].startswith("group_by=hour gives more than")


def test_the_answer_has_what_the_document_says(accounts: Connection, ask: Ask, client: FlaskClient) -> None:
    """Every member of a group is documented, and the example is one that could be."""
    insert(accounts, row("a"))
    document = client.get("/v1/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    groupings = ("hour", "day", "month", "account,direction", "disposition,hangup_cause", "prefix")

    def members(columns: tuple[str, ...]) -> set[str]:
        return {name for grouping in columns for name in ask(group_by=grouping)["groups"][0]}

    assert members(groupings) == set(schemas["Group"]["properties"])
    assert set(schemas["Sums"]["example"]) == set(ask()["total"])
    of_queues = tuple(
        f"{grouping.split(',')[0]},queue" for grouping in (*groupings, "direction", "hangup_cause", "agent")
    )
    assert members(of_queues) == set(schemas["QueueGroup"]["properties"])
    assert set(schemas["QueueFigures"]["example"]) == set(ask(queue_id="q")["total"])
    names = [parameter["name"] for parameter in document["paths"]["/v1/stats"]["get"]["parameters"]]
    assert set(names) == {
        "since",
        "until",
        "group_by",
        "tz",
        "limit",
        "prefix_digits",
        "sl_s",
        *FILTER_NAMES,
    }


def test_what_takes_postgresql_too_long_is_refused_with_what_to_ask_instead(accounts: Connection, get: Get) -> None:
    """And not 503, which asks a client to come again: the same question would take as long again."""
    insert(accounts, *(row(f"a{number}") for number in range(500)))
    accounts.execute("""
        CREATE FUNCTION slow(call_id text) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.05); RETURN true; END';
        CREATE POLICY slow ON call_cdr AS RESTRICTIVE FOR SELECT TO tollbook_api USING (slow(call_id))
    """)
    answer = get(since=0, group_by="hangup_cause")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "question_too_large")
    assert "ask for less time at once, or by time, account" in answer.get_json()["message"]
