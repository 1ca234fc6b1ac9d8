"""Accounts, numbers, plans and rates in the database, and the decks that are made of them."""

import threading

import pytest

from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.factories import call_row
from tollbook.errors import DataError, UsageError
from tollbook.model.charge import Charge
from tollbook.model.record import Row
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account


def replace(connection: Connection, plan: str, *lines: str, currency: str = "USD") -> None:
    rows = parse_deck([("", ["prefix,per_min_micros,increment\n", *(f"{line}\n" for line in lines)])])
    replace_rates(connection, plan, currency, rows)


def account(name: str, plan: str | None = None) -> Account:
    return Account(account_id=name, name=name.title(), plan_id=plan)


def version(connection: Connection) -> int:
    found = tariffs.tariff_version(connection)
    connection.rollback()
    return found


def call(to_num: str, account_id: str) -> Row:
    charges = (Charge(direction="outbound", number=to_num, seconds=90),)
    return call_row("a", account_id, 1_800_000_000_000, to_num=to_num, billsec=90, parts=charges)


def test_what_is_imported_prices_calls(database: Connection) -> None:
    replace(database, "retail", "49,60000,60/60", "4930,30000,1/1")
    tariffs.add_account(database, account("acme", "retail"))
    tariffs.add_account(database, account("free"))
    loaded = load_tariffs(database)
    assert loaded.price(call("+49301234567", "acme")).cost_micros == 45_000
    assert loaded.price(call("+49891234567", "acme")).cost_micros == 120_000
    assert loaded.price(call("+3312345678", "acme")).unrated == "no rate for outbound +3312345678"
    assert loaded.price(call("+49301234567", "free")).unrated == "the account has no rate plan"
    assert loaded.price(call("+49301234567", "nobody")).unrated == "no such account"


def test_an_import_replaces_all_of_a_plan_and_nothing_of_another(database: Connection) -> None:
    replace(database, "one", "49,1,1/1", "33,2,1/1")
    replace(database, "two", "49,3,1/1", currency="EUR")
    replace(database, "one", "44,4,1/1")
    assert [(rate[1], rate[2]) for rate in tariffs.rates(database, "one")] == [("44", 4)]
    assert [(rate[1], rate[2]) for rate in tariffs.rates(database, "two")] == [("49", 3)]
    assert [(plan.plan_id, plan.currency, plan.version) for plan in tariffs.plans(database)] == [
        ("one", "USD", 2),
        ("two", "EUR", 1),
    ]


def test_every_change_raises_the_version_and_a_failed_one_does_not(database: Connection) -> None:
    seen = [version(database)]
    replace(database, "retail", "49,1,1/1")
    seen.append(version(database))
    tariffs.add_account(database, account("acme", "retail"))
    seen.append(version(database))
    tariffs.add_numbers(database, "acme", ["+4930100"])
    seen.append(version(database))
    assert seen == sorted(set(seen))
    with pytest.raises(UsageError):
        tariffs.add_account(database, account("acme"))
    with pytest.raises(UsageError):
        tariffs.add_numbers(database, "nobody", ["1"])
    with pytest.raises(DataError):
        replace_rates(database, "retail", "USD", [("line 2", "sideways", "1", 1, 0, 1, 1, 0, None, "x")])
    assert version(database) == seen[-1]


def test_a_failed_import_leaves_the_rates_as_they_were(database: Connection) -> None:
    replace(database, "retail", "49,1,1/1")
    bad = [("1", "outbound", "33", 1, 0, 1, 1, 0, 5, "ok"), ("2", "outbound", "33", -1, 0, 1, 1, 5, None, "negative")]
    with pytest.raises(DataError):
        replace_rates(database, "retail", "USD", bad)
    assert [rate[1] for rate in tariffs.rates(database, "retail")] == ["49"]


def test_readers_see_the_old_deck_or_the_new_one_never_half(database: Connection, database_url: str) -> None:
    """A reader in a loop while a plan of 200 rates is replaced again and again: always 200 of one price."""
    done, mixed, seen = threading.Event(), list[set[int]](), set[int]()

    def reader() -> None:
        with connect(database_url, name="reader", autocommit=True) as connection:
            while not done.is_set():
                rates = list(tariffs.rates(connection, "retail"))
                prices = {rate[2] for rate in rates}
                seen.update(prices)
                if len(rates) != 200 or len(prices) != 1:
                    mixed.append(prices)

    replace(database, "retail", *(f"{prefix},0,1/1" for prefix in range(200)))
    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    for price in range(1, 15):
        replace(database, "retail", *(f"{prefix},{price},1/1" for prefix in range(200)))
    done.set()
    thread.join(20)
    assert not thread.is_alive()
    assert mixed == []
    assert len(seen) > 1


def test_two_imports_at_once_leave_one_whole_deck(database: Connection, database_url: str) -> None:
    """Of two operators who import at the same moment one is last; the rates are all theirs."""
    failures: list[BaseException] = []

    def importer(price: int) -> None:
        try:
            with connect(database_url, name="import") as connection:
                for _ in range(5):
                    replace(connection, "retail", *(f"{prefix},{price},1/1" for prefix in range(50)))
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    replace(database, "retail", "1,1,1/1")
    threads = [threading.Thread(target=importer, args=(price,), daemon=True) for price in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    rates = list(tariffs.rates(database, "retail"))
    assert len(rates) == 50
    assert len({rate[2] for rate in rates}) == 1


def test_accounts_are_listed_by_id(database: Connection) -> None:
    replace(database, "retail", "49,1,1/1")
    for added in (account("b"), account("a", "retail"), account("B")):
        tariffs.add_account(database, added)
    assert tariffs.accounts(database) == [account("B"), account("a", "retail"), account("b")]


def test_an_account_wants_a_plan_that_exists(database: Connection) -> None:
    with pytest.raises(UsageError, match=r"no rate plan 'gold': import it first"):
        tariffs.add_account(database, account("acme", "gold"))
    assert tariffs.accounts(database) == []


def test_numbers_are_added_all_or_none(database: Connection) -> None:
    for account_id in ("acme", "other"):
        tariffs.add_account(database, account(account_id))
    tariffs.add_numbers(database, "other", ["222"])
    with pytest.raises(UsageError, match="222 belongs to other: no number was added"):
        tariffs.add_numbers(database, "acme", ["111", "222"])
    assert tariffs.number_owners(database) == {"222": "other"}
    database.rollback()
    tariffs.add_numbers(database, "acme", ["111", "111", "333"])
    tariffs.add_numbers(database, "acme", ["111"])
    assert tariffs.number_owners(database) == {"111": "acme", "222": "other", "333": "acme"}


@pytest.mark.parametrize(
    ("theirs", "dials", "ours", "dials_ours", "refused"),
    [
        pytest.param("030 1234567", "DE", "+49 30 1234567", None, True, id="national, and E.164"),
        pytest.param("+49301234567", None, "030/1234567", "DE", True, id="E.164, and national"),
        pytest.param("0049301234567", "DE", "(030) 1234567", "DE", True, id="international, and national"),
        pytest.param("01 23 45 67 89", "FR", "0123456789", "DE", True, id="the same digits, which are one key"),
        pytest.param("0301234567", "DE", "0201234567", "GB", False, id="two numbers"),
        pytest.param("0301234567", None, "+49301234567", "DE", False, id="digits that say nothing of a country"),
        pytest.param("112", "DE", "+49112", None, False, id="a short code"),
    ],
)
def test_a_number_has_one_owner_however_it_is_dialled(
    database: Connection, theirs: str, dials: str | None, ours: str, dials_ours: str | None, refused: bool
) -> None:
    """Whoever has it is named, with the form in which it has it; one account may have both forms."""
    for account_id, numbering_id in (("theirs", dials), ("ours", dials_ours)):
        added = Account(account_id=account_id, name=account_id, plan_id=None, numbering_id=numbering_id)
        tariffs.add_account(database, added)
    tariffs.add_numbers(database, "theirs", [theirs])
    if refused:
        with pytest.raises(UsageError, match="belongs to theirs"):
            tariffs.add_numbers(database, "ours", [ours])
        assert set(tariffs.number_owners(database).values()) == {"theirs"}
        assert tariffs.add_numbers(database, "theirs", [ours]) == 1
    else:
        assert tariffs.add_numbers(database, "ours", [ours]) == 1


def test_a_nul_in_a_name_is_bad_data(database: Connection) -> None:
    with pytest.raises(DataError, match="NUL"):
        tariffs.add_account(database, Account(account_id="a", name="\0", plan_id=None))
