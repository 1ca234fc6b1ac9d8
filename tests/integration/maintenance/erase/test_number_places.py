"""`tollbook account erase --number`: separators, legs of pruned days, holds, another spelling, calls that are up."""

import pytest

from maintenance.erase import run as erase_run
from maintenance.erase.preview import preview
from maintenance.erase.run import erase_calls
from maintenance.prune.run import prune_days
from rating.engine import Tariffs
from tests.archiving import archive_now, archived, stored
from tests.databases import store, written_when_ended
from tests.endpoints import add_endpoint
from tests.everywhere import dump, places_of
from tests.factories import UP, call, leg
from tests.integration.maintenance.erase.filled import TODAY, request
from tollbook.config import Settings
from tollbook.errors import AccountHeld, ArchiveError
from tollbook.model.call_key import CallKey
from tollbook.model.details import Details
from tollbook.model.fold import FoldSettings
from tollbook.store import holds
from tollbook.store.calls import call_rows
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

NUMBER = "+33123456789"
#: The number as people write it, and one that differs in the last digit.
SEPARATED = ("+33-1-23-45-67-89", "tel:+33-1-23-45-67-89", "+33 1 23 45 67 89", "01.23.45.67.89", "01/23-45 67(89)")
ANOTHER = "+33-1-23-45-67-80"


@pytest.fixture
def accounts(local_settings: Settings, database: Connection) -> Settings:
    """Two accounts that dial as in France."""
    for account_id in ("fr", "fr2"):
        new = tariffs.Account(account_id=account_id, name=account_id, plan_id=None, numbering_id="FR")
        tariffs.add_account(database, new)
    return local_settings


def heard(settings: Settings, uid: str, day: int, dialed: str) -> None:
    """A call of the account fr, of which one leg rang at a number."""
    start_us = day * MS_PER_DAY * 1000 + 9_000
    legs = [
        leg(uid, start_us=start_us, end_us=start_us + 9_000_000, account="fr"),
        leg(f"{uid}-b", start_us=start_us, end_us=start_us + 9_000_000, parent=uid, dialed=dialed),
    ]
    with connect(settings.require_database_url(), name="test") as connection:
        write_batch(connection, legs, FoldSettings(), Tariffs().price, Partitions())


def test_separators_hide_no_number(accounts: Settings, database: Connection) -> None:
    """In rows of both tiers, in legs and in old prices; another number that is written so stays."""
    for day in (TODAY - 60, TODAY - 5):
        for place, text in enumerate((*SEPARATED, ANOTHER)):
            store(database, call(f"{day}-{place}", "fr", day * MS_PER_DAY, to_num=text))
    for place, text in enumerate((*SEPARATED, ANOTHER)):
        heard(accounts, f"rang-{place}", TODAY - 4, text)
        priced = call(f"priced-{place}", "fr", (TODAY - 4) * MS_PER_DAY, to_num=text)
        store(database, priced)
        # The old price has the number, and the row has not.
        store(database, call(f"priced-{place}", "fr", (TODAY - 4) * MS_PER_DAY, cost_micros=5))
    archive_now(accounts)
    prune_days(accounts, today=TODAY)
    assert len([row for row in archived(accounts) if str(row[0]).startswith(str(TODAY - 60))]) == len(SEPARATED) + 1
    seen = preview(accounts, request(None, number=NUMBER))
    assert (seen.stored, seen.archived) == (2 * len(SEPARATED), 2 * len(SEPARATED))
    assert erase_calls(accounts, request(None, number=NUMBER)).erasure.calls == 3 * len(SEPARATED)
    left = {str(row[0]) for row in (*archived(accounts), *stored(database))}
    last = len(SEPARATED)
    assert left >= {f"{TODAY - 60}-{last}", f"{TODAY - 5}-{last}", f"rang-{last}"}
    assert {name for name in left if not name.startswith("priced")} == {
        f"{TODAY - 60}-{last}", f"{TODAY - 5}-{last}", f"rang-{last}"
    }  # fmt: skip
    content = dump(accounts.require_database_url())
    assert not [text for text in SEPARATED if text.encode() in content]
    assert ANOTHER.encode() in content


def test_a_call_that_went_into_another_leaves_its_number_in_no_event(accounts: Settings, database: Connection) -> None:
    """Nor does a row that had it once. Endpoints hear that the one is gone; a call that is up keeps its events."""
    for webhook_account in ("fr", None):
        add_endpoint(database, webhook_account)
    day_ms, up = (TODAY - 3) * MS_PER_DAY, {"answer_ts": None, "answered": 0, **UP}
    store(database, call("joined", "fr", day_ms, to_num="01.23.45.67.89"), call("other", "fr", day_ms, to_num=ANOTHER))
    store(
        database, call("up", "fr", day_ms, to_num=NUMBER, **up), call("detail", "fr", day_ms, details=DETAILED["vars"])
    )
    store(database, call("detail", "fr", day_ms, billsec=59))
    call_rows.delete(database, [CallKey(day_ms, "joined", "fs1")])
    database.commit()
    for account_id in ("fr2", None):
        seen = preview(accounts, request(account_id, number=NUMBER))
        assert ("6 events" in str(seen)) == (account_id is None), seen
        holds.place(database, "fr", by_whom="court", reason="")
        database.commit()
        if account_id is None:
            with pytest.raises(AccountHeld, match="'fr'"):
                erase_calls(accounts, request(None, number=NUMBER))
        holds.release(database, "fr", by_whom="court")
        database.commit()
        erased = erase_calls(accounts, request(account_id, number=NUMBER)).erasure
    assert (erased.calls, erased.counts["events"]) == (0, 6)
    found = database.execute("SELECT call_id, count(*), count(*) FILTER (WHERE record = '{\"removed\": true}') FROM"
                             " call_event GROUP BY 1 ORDER BY 1").fetchall()  # fmt: skip
    assert found == [("detail", 1, 0), ("joined", 1, 1), ("other", 3, 0), ("up", 1, 0)]


DETAILED = {
    "sip_call_id": Details(sip_call_id="33123456789@192.0.2.7"),
    "recordings": Details(recordings=("/recordings/fr/2026_+33123456789.wav",)),
    "vars": Details(vars={"sip_h_Diversion": "<sip:0123456789@192.0.2.7>;reason=busy"}),
}


@pytest.mark.parametrize("where", DETAILED)
def test_details_hide_no_number(accounts: Settings, database: Connection, where: str) -> None:
    """In both tiers: a Call-ID, a recording's path, a variable. Another number there stays, and so does a short one."""
    other = Details(sip_call_id="33123456780@192.0.2.7", recordings=("/1234567.wav",), vars={"campaign": "6789"})
    for day in (TODAY - 60, TODAY - 5):
        store(database, call(f"{day}-held", "fr", day * MS_PER_DAY, details=DETAILED[where]))
        store(database, call(f"{day}-not", "fr", day * MS_PER_DAY, details=other))
    archive_now(accounts)
    prune_days(accounts, today=TODAY)
    assert {row[0] for row in stored(database)} == {f"{TODAY - 5}-held", f"{TODAY - 5}-not"}
    seen = preview(accounts, request(None, number=NUMBER))
    assert (seen.stored, seen.archived) == (1, 2)
    assert erase_calls(accounts, request("fr", number=NUMBER)).erasure.calls == 2
    left = {str(row[0]) for row in (*archived(accounts), *stored(database))}
    assert left == {f"{TODAY - 60}-not", f"{TODAY - 5}-not"}
    assert places_of(accounts, b"33123456789", b"<sip:0123456789") == set()


@pytest.mark.parametrize("account_id", [None, "fr"])
def test_legs_go_whose_rows_were_just_pruned(accounts: Settings, database: Connection, account_id: str | None) -> None:
    """The archive knows whose call it was, and how that account dials; the call goes there, too."""
    heard(accounts, "pruned", TODAY - 5, "01.23.45.67.89")
    heard(accounts, "other", TODAY - 5, ANOTHER)
    written_when_ended(database)
    archive_now(accounts)
    prune_days(accounts, today=TODAY + 26)
    assert stored(database) == []
    assert b"01.23.45.67.89" in dump(accounts.require_database_url())

    assert erase_calls(accounts, request(account_id, number=NUMBER)).erasure.calls == 1
    content = dump(accounts.require_database_url())
    assert b"01.23.45.67.89" not in content
    assert ANOTHER.encode() in content
    assert [row[0] for row in archived(accounts)] == ["other"]
    assert database.execute("SELECT call_id, account_id FROM call_gone").fetchall() == [("pruned", "fr")]


def test_a_price_from_before_a_call_moved_stays_with_its_account(accounts: Settings, database: Connection) -> None:
    """It is under a hold; the call is another account's by now, and is erased."""
    store(database, call("moved", "fr", (TODAY - 3) * MS_PER_DAY))
    store(database, call("moved", "fr2", (TODAY - 3) * MS_PER_DAY, cost_micros=7))
    store(database, call("moved", "fr2", (TODAY - 3) * MS_PER_DAY, cost_micros=8))
    prices = "SELECT account_id, cost_micros FROM price_history ORDER BY 1"
    assert database.execute(prices).fetchall() == [("fr", 21_000), ("fr2", 7)]
    holds.place(database, "fr", by_whom="court", reason="")
    erase_calls(accounts, request("fr2"))
    assert database.execute(prices).fetchall() == [("fr", 21_000)]
    assert stored(database) == []


def test_a_held_owner_keeps_its_number(accounts: Settings, database: Connection) -> None:
    """Nothing is removed, nor begun, also of accounts that are not held."""
    tariffs.add_numbers(database, "fr", ["01 23 45 67 89"])
    store(database, call("to it", "fr2", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    holds.place(database, "fr", by_whom="court", reason="")
    for act in (preview, erase_calls):
        with pytest.raises(AccountHeld, match="'fr'"):
            act(accounts, request(None, number=NUMBER))
    assert len(stored(database)) == len(tariffs.number_owners(database)) == 1
    assert database.execute("SELECT count(*) FROM erasure").fetchone() == (0,)
    erase_calls(accounts, request(None, number=NUMBER, keep_numbers=True))
    assert (stored(database), len(tariffs.number_owners(database))) == ([], 1)


def test_a_held_account_keeps_its_old_prices(accounts: Settings, database: Connection) -> None:
    """The call is another's by now; the price is of when it was the held account's."""
    store(database, call("moved", "fr", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    store(database, call("moved", "fr2", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    holds.place(database, "fr", by_whom="court", reason="")
    for act in (preview, erase_calls):
        with pytest.raises(AccountHeld, match="'fr'"):
            act(accounts, request(None, number=NUMBER))
    assert database.execute("SELECT account_id FROM price_history").fetchall() == [("fr",)]
    assert len(stored(database)) == 1


def test_another_spelling_goes_on(accounts: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time and the reason of the erasure that was cut short, as the preview says; then it ends."""

    def fails(*_: object) -> int:
        raise ArchiveError("gone")

    store(database, call("to it", "fr", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    with monkeypatch.context() as patched:
        patched.setattr(erase_run, "remove_some", fails)
        with pytest.raises(ArchiveError):
            erase_calls(accounts, request("fr", number=NUMBER, until_ts=(TODAY - 2) * MS_PER_DAY))
    store(database, call("later", "fr", (TODAY - 1) * MS_PER_DAY, to_num=NUMBER))
    again = request("fr", number="01 23 45 67 89", reason="another")
    seen = preview(accounts, again)
    assert seen.stored == 0
    assert str(seen).startswith("goes on with the erasure that began at 20")
    assert erase_calls(accounts, again).erasure.reason == "ticket 7"
    assert [row[0] for row in stored(database)] == ["later"]
    assert database.execute("SELECT count(*), count(finished_at) FROM erasure").fetchone() == (1, 1)
    assert erase_calls(accounts, again).erasure.calls == 1


def test_a_call_of_a_held_account_that_ends_meanwhile_is_kept(
    accounts: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure that has removed something stays on record, and ends once the hold is lifted."""

    def fails(*_: object) -> int:
        raise ArchiveError("gone")

    holds.place(database, "fr", by_whom="court", reason="")
    up = {"answer_ts": None, "answered": 0, **UP}
    store(database, call("held", "fr", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER, **up))
    store(database, call("free", "fr2", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    with monkeypatch.context() as patched:
        patched.setattr(erase_run, "remove_some", fails)
        with pytest.raises(ArchiveError):
            erase_calls(accounts, request(None, number=NUMBER))
    store(database, call("held", "fr", (TODAY - 3) * MS_PER_DAY, to_num=NUMBER))
    with pytest.raises(AccountHeld, match="a part was erased"):
        erase_calls(accounts, request(None, number=NUMBER))
    assert [row[0] for row in stored(database)] == ["held"]
    assert database.execute("SELECT count(*), count(finished_at) FROM erasure").fetchone() == (1, 0)
    holds.release(database, "fr", by_whom="court")
    assert erase_calls(accounts, request(None, number=NUMBER)).erasure.calls == 2


def test_an_owned_number_goes_however_it_was_entered(accounts: Settings, database: Connection) -> None:
    """As its owner dials, also by a second owner, which older versions let it have; others of the owner stay."""
    tariffs.add_numbers(database, "fr", ["01 23 45 67 89", "+33123456789", "+33123456780"])
    database.execute("INSERT INTO account_number (number, account_id) VALUES ('0033123456789', 'fr2')")
    assert preview(accounts, request(None, number=NUMBER)).owned_numbers == 3
    erase_calls(accounts, request("fr2", number=NUMBER))
    assert sorted(tariffs.number_owners(database)) == ["0123456789", "33123456780", "33123456789"]
    erase_calls(accounts, request(None, number=NUMBER))
    assert tariffs.number_owners(database) == {"33123456780": "fr"}


def test_calls_that_are_up_are_named(accounts: Settings, database: Connection) -> None:
    """Before and at the end: they stay, and the number is not gone yet."""
    up = {"answer_ts": None, "answered": 0, **UP}
    store(database, call("up", "fr", (TODAY - 1) * MS_PER_DAY, to_num="01 23 45 67 89", **up))
    store(database, call("up2", "fr", (TODAY - 1) * MS_PER_DAY, to_num=ANOTHER, **up))
    said = "not erased: 1 calls that are still up"
    assert said in str(preview(accounts, request(None, number=NUMBER)))
    assert said in str(erase_calls(accounts, request(None, number=NUMBER)))
    store(database, call("up", "fr", (TODAY - 1) * MS_PER_DAY, to_num="01 23 45 67 89"))
    assert said not in str(erase_calls(accounts, request(None, number=NUMBER)))
    assert [row[0] for row in stored(database)] == ["up2"]
