"""`GET /v1/calls/{id}` shows an account its own calls and former prices, and nothing of others."""

from tests.factories import START_MS
from tests.integration.export_app.detail.explained import Get, calls, legs, write
from tollbook.model.accounts import EveryAccount, OneAccount
from tollbook.model.fold import FoldSettings
from tollbook.store.calls.detail import find_calls
from tollbook.store.database import Connection
from tollbook.store.row_security import reading, snapshot
from tollbook.store.tariffs import tariffs


def test_an_account_sees_the_former_prices_that_were_its_own(accounts: Connection, get: Get) -> None:
    """The operator sees all, each with its account; beta sees nothing of what alpha paid, nor alpha any longer."""
    write(accounts, legs("x", "acct_alpha", gateway="", channel_direction="outbound", channel="sofia/external/1"))
    accounts.execute("UPDATE call_cdr SET cost_micros = 1")
    accounts.execute("UPDATE call_cdr SET account_id = 'acct_beta', cost_micros = 2")
    accounts.execute("UPDATE call_cdr SET cost_micros = 3")

    def seen(who: str) -> list[tuple[object, ...]]:
        (call,) = calls(get("x", who=who))
        return [(price["account_id"], price["cost_micros"], price["cause"]) for price in call["price"]["before"]]

    of_beta = [("acct_beta", 2, "other")]
    assert seen("operator") == [("acct_alpha", 13_000, "other"), ("acct_alpha", 1, "other"), *of_beta]
    assert seen("beta") == of_beta
    assert get("x", who="alpha").status_code == 404
    with reading(accounts, OneAccount("acct_beta")):  # row-level security, whatever a query asks for
        found = accounts.execute("SELECT DISTINCT account_id FROM price_history").fetchall()
    assert found == [("acct_beta",)]


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


def test_a_call_is_read_for_one_account_or_for_all(accounts: Connection) -> None:
    """The store's own test of the account: a WHERE, whatever the view does. The legs are those of the row's switch."""
    write(accounts, legs("x", "acct_alpha"))
    accounts.execute(
        "INSERT INTO call_leg SELECT uid, created_us, 'twin', call_id, call_start_ts, core, ended, facts FROM call_leg"
    )
    with snapshot(accounts):
        (kept,) = find_calls(accounts, "x", EveryAccount()).calls
    assert [leg.switch for leg in kept.legs] == ["fs1"]
    with snapshot(accounts):
        assert find_calls(accounts, "x", OneAccount("acct_beta")).calls == []
    assert kept.price
    assert kept.price.currency == "EUR"
