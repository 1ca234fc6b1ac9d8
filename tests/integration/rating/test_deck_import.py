"""A plan's rates are exchanged whole, what they priced stays explainable, and a comparison says what changes."""

import threading

import pytest

from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.integration.rating.imports import AT, kept, price, put
from tollbook.errors import UsageError
from tollbook.model.charge import Charge
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import accounts, tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account


def test_rates_that_stay_keep_their_id_and_those_that_go_are_kept(acme: Connection) -> None:
    first = kept(acme)
    put(acme, "retail", "44,100", "49,250", "39,400")
    after = kept(acme)
    assert [row[:3] for row in after[:3]] == [row[:3] for row in first]
    assert [(row[1], row[2], row[3], row[4]) for row in after] == [
        ("44", 100, 1, None), ("49", 200, 1, 2), ("33", 300, 1, 2), ("49", 250, 2, None), ("39", 400, 2, None),
    ]  # fmt: skip
    assert price(acme, "49") == (250, "retail", 2)
    assert price(acme, "44") == (100, "retail", 1)


def test_names_are_stored_as_they_are_written(acme: Connection) -> None:
    """Also where they hold what ends a field or a line of COPY, or says that there is no value."""
    names = ["tab\tin", "back\\slash", "\\N", "\\.", "two\nlines", "CR\rin", "Zürich ☎"]
    put(acme, "odd", *(f'{number},1,"{name}"' for number, name in enumerate(names)), header="prefix,per_min,name")
    stored = acme.execute("SELECT name FROM rate WHERE plan_id = 'odd' ORDER BY prefix").fetchall()
    assert [name for (name,) in stored] == names


def test_the_same_deck_again_is_no_new_version(acme: Connection) -> None:
    """In any order of its lines, from however many files; the version does not rise."""
    before, version = kept(acme), tariffs.tariff_version(acme)
    done = put(acme, "retail", "33,300", "44,100", "49,200")
    assert (done.compared.changed, done.plan.version, done.compared.same) == (False, 1, 3)
    assert (kept(acme), tariffs.tariff_version(acme)) == (before, version)


def test_a_deck_that_returns_is_a_new_version(acme: Connection) -> None:
    put(acme, "retail", "44,101")
    done = put(acme, "retail", "44,100", "49,200", "33,300")
    assert done.plan.version == 3
    assert price(acme, "44") == (100, "retail", 3)


def test_an_import_says_what_changes_against_today(acme: Connection) -> None:
    header = "prefix,per_min_micros,connection_fee_micros,increment,valid_from,valid_to,name"
    put(acme, "retail", *(f"{prefix},100,10,60/60,,,{prefix}" for prefix in range(10, 20)), header=header)
    lines = [
        "10,100,10,60/60,,,10",  # the same
        "11,101,10,60/60,,,11", "12,100,11,60/60,,,12", "13,100,10,60/61,,,13", "14,101,10,60/60,2026-01-01,,14",
        "15,99,10,60/60,,,15", "16,100,10,1/1,,,16",
        "17,101,9,60/60,,,17", "18,100,10,60/60,,,renamed",
        "20,1,1,1/1,,,20",
    ]  # fmt: skip
    done = put(acme, "retail", *lines, header=header, dry_run=True)
    found: dict[str, set[str]] = {}
    for change in done.compared.changes:
        found.setdefault(f"{change.kind} {change.total}", set()).add(change.prefix)
    assert found == {
        "dearer 4": {"11", "12", "13", "14"},
        "cheaper 2": {"15", "16"},
        "otherwise changed 2": {"17", "18"},
        "gone 1": {"19"},
        "new 1": {"20"},
    }
    assert (done.compared.rates, done.compared.same) == (10, 1)


def test_a_dry_run_changes_nothing(acme: Connection) -> None:
    before, version = kept(acme), tariffs.tariff_version(acme)
    done = put(acme, "retail", "1,1", base=None, dry_run=True)
    put(acme, "unheard", "1,1", dry_run=True)
    assert done.plan.version == 2
    assert (kept(acme), tariffs.tariff_version(acme)) == (before, version)
    assert [plan.plan_id for plan in tariffs.plans(acme)] == ["retail"]


def test_a_plan_stands_on_its_base(acme: Connection) -> None:
    put(acme, "special", "447,50", base="retail")
    accounts.assign(acme, "acme", "special", from_ts=0, to_ts=None)
    assert price(acme, "447") == (50, "special", 1)
    assert price(acme, "441") == (100, "retail", 1)
    put(acme, "retail", "44,111")
    assert price(acme, "441") == (111, "retail", 2)
    assert put(acme, "special", "447,50", base="").plan.base_plan_id is None
    assert price(acme, "441") == (None, None, None)


def test_a_base_that_cannot_be_is_refused(acme: Connection) -> None:
    put(acme, "a", "1,1", base="retail")
    put(acme, "b", "1,1", base="a")
    replace_rates(acme, "euro", "EUR", parse_deck([("", ["prefix,per_min\n", "1,1\n"])]))
    for plan, base, message in (
        ("retail", "b", "the plan 'b' stands on 'retail'"),
        ("retail", "retail", "the plan 'retail' stands on 'retail'"),
        ("euro", "retail", "a plan and its base are in one currency"),
        ("euro", "gold", "there is no rate plan 'gold'"),
        ("new", "new", "the plan 'new' stands on 'new'"),
    ):
        with pytest.raises(UsageError, match=message):
            put(acme, plan, "1,1", base=base)
    assert {plan.plan_id: plan.base_plan_id for plan in tariffs.plans(acme)} == {
        "a": "retail", "b": "a", "euro": None, "retail": None,
    }  # fmt: skip


def test_a_new_plan_is_in_the_currency_of_its_base_and_keeps_it(acme: Connection) -> None:
    rows = list(parse_deck([("", ["prefix,per_min\n", "1,1\n"])]))
    replace_rates(acme, "euro", "EUR", rows)
    assert put(acme, "special", "1,1", base="euro").plan.currency == "EUR"
    with pytest.raises(UsageError, match="is in EUR, and what it priced stays so: import prices in USD as another"):
        replace_rates(acme, "euro", "USD", rows)


def test_prefixes_that_no_number_can_have_are_named(acme: Connection) -> None:
    """Unless an account dials without a numbering plan, on the plan or on one that stands on it."""
    lines = ["0044,1", "44,1", "000,1", "1234567890123456,1"]
    accounts.set_numbering(acme, "acme", "AU")  # where 000 is a short code
    compared = put(acme, "retail", *lines).compared
    assert (compared.unreachable, compared.unreachable_prefixes) == (2, ("0044", "1234567890123456"))
    accounts.set_numbering(acme, "acme", "GB")
    assert put(acme, "retail", *lines, "45,1").compared.unreachable == 3
    put(acme, "special", "447,50", base="retail")
    tariffs.add_account(acme, Account(account_id="digits", name="", plan_id="special"))
    assert put(acme, "retail", *lines).compared.unreachable == 0


def test_a_plan_is_assigned_by_date(acme: Connection) -> None:
    put(acme, "gold", "44,7")

    def plans() -> list[tuple[int, str | None]]:
        return [(assignment.from_ts, assignment.plan_id) for assignment in tariffs.assignments(acme, "acme")]

    accounts.assign(acme, "acme", "gold", from_ts=100, to_ts=200)
    assert plans() == [(0, "retail"), (100, "gold"), (200, "retail")]
    accounts.assign(acme, "acme", None, from_ts=150, to_ts=None)
    assert plans() == [(0, "retail"), (100, "gold"), (150, None), (200, "retail")]
    accounts.assign(acme, "acme", "retail", from_ts=50, to_ts=200)
    assert plans() == [(0, "retail"), (50, "retail"), (200, "retail")]
    accounts.assign(acme, "acme", "gold", from_ts=200, to_ts=None)
    assert plans()[-1] == (200, "gold")
    with pytest.raises(UsageError, match="no rate plan 'none'"):
        accounts.assign(acme, "acme", "none", from_ts=0, to_ts=None)
    with pytest.raises(UsageError, match="no account 'nobody'"):
        accounts.assign(acme, "nobody", "gold", from_ts=0, to_ts=None)


def test_decks_that_did_not_change_are_not_loaded_again(acme: Connection) -> None:
    put(acme, "special", "447,50", base="retail")
    accounts.assign(acme, "acme", "special", from_ts=0, to_ts=None)
    first = load_tariffs(acme)
    put(acme, "special", "447,51", base="retail")
    second = load_tariffs(acme, first)
    assert first.decks["retail", 1] is second.decks["retail", 1]
    assert set(second.decks) == {("retail", 1), ("special", 2)}


def test_nobody_prices_from_half_of_a_deck(acme: Connection, database_url: str) -> None:
    """A pricer that loads again and again while 100,000 rates are exchanged: every price of a load is of one version,
    and the new one is seen."""
    size, loaded_one, over, mixed, seen = 100_000, threading.Event(), threading.Event(), list[set[int]](), set[int]()

    def deck(micros: int) -> list[tuple[object, ...]]:
        return [("x", "outbound", f"{prefix:06}", micros, 0, 60, 60, 0, None, "n") for prefix in range(size)]

    def pricer() -> None:
        with connect(database_url, name="pricer") as connection:
            while 3 not in seen and not over.is_set():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                loaded = load_tariffs(connection)
                connection.rollback()
                parts = [Charge(direction="outbound", number=f"{n:06}", seconds=60) for n in range(0, size, 997)]
                found = {charge.cost_micros or -1 for charge in loaded.price_charges("acme", AT, True, parts).parts}
                seen.update(found)
                if len(found) != 1:
                    mixed.append(found)
                loaded_one.set()

    replace_rates(acme, "retail", None, deck(1))
    thread = threading.Thread(target=pricer, daemon=True)
    thread.start()
    assert loaded_one.wait(60)
    for micros in (2, 3):
        replace_rates(acme, "retail", None, deck(micros))
    thread.join(60)
    over.set()
    assert not thread.is_alive()
    assert mixed == []
    assert {1, 3} <= seen
    assert price(acme, "000001") == (3, "retail", 4)
