"""`GET /v1/calls/{id}` over a real PostgreSQL: what it says of every recorded call, and to whom."""

import pytest
from flask.testing import FlaskClient

from rating.deck_csv import parse_deck
from tests.factories import START_MS
from tests.integration.export_app.detail.conftest import DECK
from tests.integration.export_app.detail.explained import Get, calls, legs, write
from tests.recorded import NAMES, recorded_legs, recorded_rows
from tollbook.model.record import COLUMNS
from tollbook.store.calls.detail import MAX_CALLS
from tollbook.store.database import Connection
from tollbook.store.tariffs.deck_import import replace_rates


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
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "422", "429", "503"}


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
    replace_rates(accounts, "retail", "EUR", parse_deck([("", deck.splitlines(keepends=True))]))
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
