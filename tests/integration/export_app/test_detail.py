"""`GET /v1/calls/{id}` over a real PostgreSQL: what it says of every recorded call, and to whom."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from export_app.calls.schema import CallDetails
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.factories import START_MS, created, ended, legs_of
from tests.recorded import NAMES, recorded_legs, recorded_rows
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import COLUMNS
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.calls.detail import MAX_CALLS, find_calls
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.row_security import snapshot
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates

DECK = """direction,prefix,name,per_min,connection_fee,increment
outbound,1,US and Canada,0.012,0.001,60/6
outbound,80,Premium carrier,0.05,0.01,1/1
inbound,,Any inbound,0.005,0,60/60
"""

Get = Callable[..., TestResponse]


def legs(uid: str, account: str, at_s: float = 0, **facts: str) -> list[Leg]:
    """An answered call of one leg, a minute long, as the switch reports it."""
    create = created(uid, at_s=at_s, account=account, **{"user": "1000", "dialed": "15551230001"} | facts)
    return legs_of(create, ended(create, answered_s=at_s, hangup_s=at_s + 60))


def write(connection: Connection, *batches: list[Leg], fold_settings: FoldSettings | None = None) -> None:
    """Write calls as the listener does."""
    connection.rollback()
    connection.autocommit = False
    price = load_tariffs(connection).price
    connection.commit()
    write_batch(
        connection, [leg for batch in batches for leg in batch], fold_settings or FoldSettings(), price, Partitions()
    )
    connection.autocommit = True


@pytest.fixture
def accounts(database: Connection) -> Connection:
    """A database with accounts and a deck."""
    database.autocommit = True
    replace_rates(
        database, "retail", "EUR", (row.values() for row in parse_deck([("", DECK.splitlines(keepends=True))]))
    )
    for account_id in ("acct_alpha", "acct_beta"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id="retail"))
    return database


@pytest.fixture
def get(client: FlaskClient, accounts: Connection) -> Get:
    """Ask for a call with alpha's key, the operator's, or another account's."""
    secrets = {
        "alpha": keys.create(accounts, account_id="acct_alpha", scopes=["cdr"])[1],
        "beta": keys.create(accounts, account_id="acct_beta", scopes=["cdr"])[1],
        "operator": keys.create(accounts, account_id=None, scopes=["operator"])[1],
        "stats": keys.create(accounts, account_id="acct_alpha", scopes=["stats"])[1],
    }

    def ask(call_id: str, query: str = "", *, who: str = "operator") -> TestResponse:
        path = f"/v1/calls/{quote(call_id, safe='')}"
        return client.get(f"{path}?{query}" if query else path, headers={"x-api-key": secrets[who]})

    return ask


def calls(answer: TestResponse) -> list[dict[str, Any]]:
    """The calls of an answer that is as the document says, to the member."""
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.data)
    assert list(body) == ["ok", "calls"]
    CallDetails.model_validate(body)
    for call in body["calls"]:
        assert list(call) == [*COLUMNS, "switch", "revision", "estimated", "note", "legs", "rules", "price"]
        assert list(call["rules"]) == list(COLUMNS)
    return body["calls"]


def test_every_recording_is_explained(accounts: Connection, get: Get) -> None:
    """The row, its legs, a rule for each column, and parts whose prices add up to the cost."""
    write(accounts, *(recorded_legs(name) for name in NAMES))
    rows = [row for name in NAMES for row in recorded_rows(name)]
    for row in rows:
        (call,) = calls(get(row["call_id"], f"start_ts={row['start_ts']}"))
        assert {name: call[name] for name in COLUMNS if name != "cost_micros"} == {
            name: row[name] for name in COLUMNS if name != "cost_micros"
        }
        assert call["legs"]
        assert call["note"] is None
        price = call["price"]
        assert [[part["direction"], part["number"], part["seconds"]] for part in price["parts"]] == row["parts"]
        assert price["cost_micros"] == call["cost_micros"]
        costs = [part["cost_micros"] for part in price["parts"]]
        assert (sum(costs) if None not in costs else None) == call["cost_micros"]
        for part in price["parts"]:
            assert part["charged"]
            if part["leg"]:
                leg = call["legs"][part["leg"] - 1]
                assert (leg["off_net"], leg["leg"]) == (True, part["leg"])
                assert part["number"] in (leg["dialed_num"], leg["call_number"])
            if part["terms"]:
                fee, per_min = part["terms"]["connection_fee_micros"], part["terms"]["per_min_micros"]
                assert part["cost_micros"] == fee + -(-part["billed_sec"] * per_min // 60)
                assert f"{part['billed_sec']} × " in part["priced"]


def test_the_answer_has_what_the_document_says(accounts: Connection, get: Get, client: FlaskClient) -> None:
    """No member more, none less; the path and its parameters are documented."""
    write(accounts, recorded_legs("transfer_outbound_to_third_party"))
    (row,) = recorded_rows("transfer_outbound_to_third_party")
    (call,) = calls(get(row["call_id"]))
    schemas = client.get("/v1/openapi.json").get_json()
    documented = schemas["components"]["schemas"]
    assert set(call) == set(documented["CallDetail"]["properties"])
    assert set(call["legs"][0]) == set(documented["Leg"]["properties"])
    assert set(call["price"]) == set(documented["CallPrice"]["properties"])
    assert set(call["price"]["parts"][0]) == set(documented["PricePart"]["properties"])
    assert set(call["price"]["parts"][0]["terms"]) == set(documented["RateTerms"]["properties"])
    operation = schemas["paths"]["/v1/calls/{id}"]["get"]
    assert [(parameter["name"], parameter["in"]) for parameter in operation["parameters"]] == [
        ("id", "path"), ("start_ts", "query"),
    ]  # fmt: skip
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "429", "503"}


def test_the_price_shows_its_arithmetic(accounts: Connection, get: Get) -> None:
    """Per part the rate, its prefix and increments, the seconds billed, the fee; and the sum."""
    write(accounts, recorded_legs("transfer_outbound_to_third_party"))
    (row,) = recorded_rows("transfer_outbound_to_third_party")
    (call,) = calls(get(row["call_id"]))
    first, second = call["price"]["parts"]
    assert first["priced"] == (
        "1 is the longest prefix with a rate, 0.012000 a minute, 60/6."
        " 6 s are billed as 60 s: 60 × 0.012000 / 60 = 0.012000, and the fee 0.001000: 0.013000"
    )
    assert second["priced"] == (
        "80 is the longest prefix with a rate, 0.050000 a minute, 1/1."
        " 4 s are billed as 1 s + 3 × 1 s = 4 s: 4 × 0.050000 / 60 = 0.003334 (rounded up),"
        " and the fee 0.010000: 0.013334"
    )
    assert call["price"]["total"] == "0.013000 + 0.013334 = 0.026334"
    assert call["price"]["currency"] == "EUR"


def test_a_rate_that_was_replaced_still_explains_what_it_priced(accounts: Connection, get: Get) -> None:
    """After a new import the terms of the old version are shown, with the version, and the price is theirs."""
    write(accounts, legs("x", "acct_alpha", gateway="", channel_direction="outbound", channel="sofia/external/1"))
    (before,) = calls(get("x"))[0]["price"]["parts"]
    assert (before["plan"], before["version"], before["terms"]["per_min_micros"]) == ("retail", 1, 12_000)
    deck = DECK.replace("0.012", "0.099")
    replace_rates(
        accounts, "retail", "EUR", (row.values() for row in parse_deck([("", deck.splitlines(keepends=True))]))
    )
    assert calls(get("x"))[0]["price"]["parts"] == [before]
    write(accounts, legs("y", "acct_alpha", gateway="", channel_direction="outbound", channel="sofia/external/1"))
    (after,) = calls(get("y"))[0]["price"]["parts"]
    assert (after["version"], after["terms"]["per_min_micros"]) == (2, 99_000)
    assert after["rate_id"] != before["rate_id"]


@pytest.mark.parametrize("account", ["", "ghost"])
def test_an_unrated_call_says_why(accounts: Connection, get: Get, account: str) -> None:
    write(accounts, legs("x", account))
    (call,) = calls(get("x"))
    assert call["cost_micros"] is None
    assert call["price"]["total"].startswith("unrated: ")
    assert call["price"]["unrated"] in ("the call has no account", "no such account")


def test_an_id_that_was_used_again_gives_each_call_newest_first(accounts: Connection, get: Get) -> None:
    """Each with its own legs; start_ts picks one, exactly."""
    write(accounts, *(legs("again", "acct_alpha", n * 3600) for n in range(3)))
    starts = [call["start_ts"] for call in calls(get("again"))]
    assert starts == [START_MS + n * 3_600_000 for n in (2, 1, 0)]
    for start in starts:
        (call,) = calls(get("again", f"start_ts={start}"))
        assert [leg["created_ts"] for leg in call["legs"]] == [start]
    assert get("again", f"start_ts={starts[0] + 1}").status_code == 404


def test_there_is_an_end_to_how_many_calls_of_an_id_are_told(accounts: Connection, get: Get) -> None:
    """The newest; older ones are asked for by start_ts."""
    write(accounts, *(legs("same", "acct_alpha", n * 100) for n in range(MAX_CALLS + 5)))
    found = calls(get("same"))
    assert len(found) == MAX_CALLS
    assert found[0]["start_ts"] == START_MS + (MAX_CALLS + 4) * 100_000
    assert calls(get("same", f"start_ts={START_MS}"))


def test_an_account_sees_its_own_calls_alone(accounts: Connection, get: Get) -> None:
    """A foreign id and an unknown one are answered with the same bytes."""
    write(accounts, legs("a", "acct_alpha"), legs("b", "acct_beta"), legs("none", ""))
    assert calls(get("a", who="alpha"))
    unknown = get("never", who="alpha")
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "unknown_call")
    for foreign in (get("b", who="alpha"), get("none", who="alpha"), get("b", f"start_ts={START_MS}", who="alpha")):
        assert (foreign.status_code, foreign.data) == (404, unknown.data)
    assert [len(calls(get(call_id))) for call_id in ("a", "b", "none")] == [1, 1, 1]


def test_of_an_id_of_two_accounts_each_sees_its_own_call_and_legs(accounts: Connection, get: Get) -> None:
    write(accounts, legs("shared", "acct_alpha", caller="111"), legs("shared", "acct_beta", 1000, caller="222"))
    for who, caller in (("alpha", "111"), ("beta", "222")):
        (call,) = calls(get("shared", who=who))
        assert (call["from_num"], [leg["caller_num"] for leg in call["legs"]]) == (caller, [caller])
    assert len(calls(get("shared"))) == 2


def test_a_number_that_changed_hands_betrays_no_account(accounts: Connection, get: Get) -> None:
    """Today another account owns the number: it is not named to the one that had the call."""
    tariffs.add_numbers(accounts, "acct_alpha", ["8005550100"])
    write(
        accounts,
        legs("x", "", dialed="8005550100", user=""),
        fold_settings=FoldSettings(number_owners={"8005550100": "acct_alpha"}),
    )
    assert "belongs to this account" in calls(get("x", who="alpha"))[0]["rules"]["account_id"]
    accounts.execute("UPDATE account_number SET account_id = 'acct_beta'")
    answer = get("x", who="alpha")
    assert "it would be something else" in calls(answer)[0]["rules"]["account_id"]
    assert "acct_beta" not in answer.text


@pytest.mark.parametrize(
    "call_id",
    [
        "a/b",
        "/a",
        "a//b",
        "a/",
        "//",
        "?x=1&y",
        "#",
        "%2F",
        "é ☎",
        "two\nlines\n",
        "a;b",
        ".",
        "..",
        "[bold]x[/bold]",
        "\x1b[2J",
    ],
)
def test_an_id_of_any_text_works(accounts: Connection, get: Get, call_id: str) -> None:
    """URL-encoded whole, its slashes too."""
    write(accounts, legs(call_id, "acct_alpha"), legs("a", "acct_alpha"), legs("b", "acct_alpha"))
    (call,) = calls(get(call_id, who="alpha"))
    assert call["call_id"] == call_id


def test_an_id_that_no_database_holds_is_unknown(get: Get) -> None:
    assert get("a\0b").status_code == 404


def test_what_is_asked_for_wrongly_is_refused(accounts: Connection, get: Get, client: FlaskClient) -> None:
    """As with /v1/calls: the parameters, the scope, the key."""
    write(accounts, legs("x", "acct_alpha"))
    for query, code in (
        ("start_ts=now", "bad_parameter"),
        ("at=1", "unknown_parameter"),
        ("start_ts=1&start_ts=2", "repeated_parameter"),
    ):
        answer = get("x", query)
        assert (answer.status_code, answer.get_json()["code"]) == (400, code)
    assert get("x", who="stats").get_json()["code"] == "missing_scope"
    assert client.get("/v1/calls/x").get_json()["code"] == "missing_key"
    assert client.get("/v1/calls/").status_code == 404


def test_pruned_legs_are_said_to_be(accounts: Connection, get: Get) -> None:
    """The row is shown, the price as it was priced, and why the rest is not."""
    write(accounts, recorded_legs("transfer_outbound_to_third_party"))
    (row,) = recorded_rows("transfer_outbound_to_third_party")
    accounts.execute("DELETE FROM call_leg")
    (call,) = calls(get(row["call_id"]))
    assert (call["legs"], call["billsec"]) == ([], row["billsec"])
    assert "no longer kept" in call["note"]
    assert [(part["leg"], part["charged"]) for part in call["price"]["parts"]] == [(None, None)] * 2
    assert call["price"]["total"] == "0.013000 + 0.013334 = 0.026334"


def test_a_call_that_is_up_is_explained_so_far(accounts: Connection, get: Get) -> None:
    write(accounts, legs("up", "acct_alpha")[:1])
    (call,) = calls(get("up"))
    assert (call["end_ts"], call["revision"], call["price"]["parts"]) == (None, 0, [])
    assert call["rules"]["end_ts"] == "not before the end: leg 1 (root) still up"
    assert call["price"]["total"] == "the call is up: it is priced at its end"


def test_a_call_is_read_for_one_account_or_for_all(accounts: Connection) -> None:
    """The store's own test of the account: a WHERE, whatever the view does. The legs are those of the row's switch."""
    write(accounts, legs("x", "acct_alpha"))
    accounts.execute(
        "INSERT INTO call_leg SELECT uid, created_us, 'twin', call_id, call_start_ts, core, ended, facts FROM call_leg"
    )
    with snapshot(accounts):
        (kept,) = find_calls(accounts, "x", EveryAccount())
    assert [leg.switch for leg in kept.legs] == ["fs1"]
    with snapshot(accounts):
        assert find_calls(accounts, "x", OneAccount("acct_beta")) == []
    assert kept.price
    assert kept.price.currency == "EUR"
