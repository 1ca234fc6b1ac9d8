"""`tollbook account erase --number`: the calls of one number, however it was dialled, and no other's."""

from typing import Any

import pytest

from maintenance.erase.preview import preview
from maintenance.erase.run import erase_calls
from maintenance.prune.run import prune_days
from rating.engine import Tariffs
from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.everywhere import dump, folder, places_of, warehouse
from tests.factories import call, leg
from tests.integration.maintenance.erase.filled import TODAY, request
from tollbook.config import Settings
from tollbook.errors import AccountHeld, UsageError
from tollbook.model.fold import FoldSettings
from tollbook.store import holds
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

NUMBER = "+442079460123"
#: One number, as it can be dialled and written.
SPELLED = ("+442079460123", "02079460123", "442079460123", "00442079460123", "sip:+442079460123@carrier;user=phone")
#: Others, of which some end alike.
ELSE = ("+442079460124", "+12079460123", "0123", "1442079460123", "anonymous", "")


def put(database: Connection, name: str, account: str, day: int, **changed: Any) -> None:
    store(database, call(name, account, day * MS_PER_DAY + 5, **changed))


@pytest.fixture
def dialled(settings: Settings, database: Connection) -> Settings:
    """The number as caller and callee in three accounts, archived and pruned or not, among other numbers."""
    numbering = {"uk": "GB", "acme": "GB", "digits": None}
    for account, plan in numbering.items():
        new = tariffs.Account(account_id=account, name=account, plan_id=None, numbering_id=plan)
        tariffs.add_account(database, new)
    for day, when in ((TODAY - 60, "old"), (TODAY - 5, "new")):
        for place, text in enumerate(SPELLED):
            put(database, f"{when}-uk-from{place}", "uk", day, from_num=text)
            put(database, f"{when}-acme-to{place}", "acme", day, to_num=text)
        for place, text in enumerate(ELSE):
            put(database, f"{when}-else{place}", "uk", day, from_num=text, to_num="+33123456789")
        put(database, f"{when}-digits", "digits", day, from_num="442079460123")
    for uid, dialed in (("ringing", "+442079460123"), ("silent", "+442079460124")):
        start_us = (TODAY - 4) * MS_PER_DAY * 1000
        legs = [
            leg(uid, start_us=start_us, end_us=start_us + 9_000_000, account="uk"),
            leg(f"{uid}-b", start_us=start_us, end_us=start_us + 9_000_000, parent=uid, dialed=dialed),
        ]
        with connect(settings.require_database_url(), name="test") as connection:
            write_batch(connection, legs, FoldSettings(), Tariffs().price, Partitions())
    archive_now(settings)
    prune_days(settings, today=TODAY)
    return settings


def left(settings: Settings, database: Connection) -> set[str]:
    return {str(row[0]) for row in (*archived(settings), *stored(database))}


def test_a_number_goes_however_it_was_dialled(dialled: Settings, database: Connection) -> None:
    """As caller, as callee, as a leg that rang and was not answered; of every account; numbers that end alike stay."""
    before = {row[0]: row for row in archived(dialled)}
    report = erase_calls(dialled, request(None, number=NUMBER))
    kept = {f"{when}-else{place}" for when in ("old", "new") for place in range(len(ELSE))} | {"silent"}
    assert left(dialled, database) == kept
    assert report.erasure.calls == 2 * (2 * len(SPELLED) + 1) + 1
    assert {row[0]: row for row in archived(dialled)} == {name: before[name] for name in kept}
    # "1442079460123" is another number.
    assert all(b"442079460123" not in content.replace(b"1442079460123", b"") for content in contents(dialled)), (
        places_of(dialled, b"2079460123")
    )


def contents(settings: Settings) -> list[bytes]:
    """The dump, and the warehouse."""
    files = [*warehouse(settings), *folder(settings.data_dir / "receipts")]
    return [dump(settings.require_database_url()), *(content for _, content in files)]


def test_of_one_account_only(dialled: Settings, database: Connection) -> None:
    """The other accounts' calls with the number stay; it may be given as the account dials it."""
    seen = preview(dialled, request("uk", number="020 7946 0123"))
    assert (seen.stored, seen.archived) == (len(SPELLED) + 1, 2 * len(SPELLED))
    erase_calls(dialled, request("uk", number="020 7946 0123"))
    names = left(dialled, database)
    assert not {name for name in names if "uk-from" in name or name == "ringing"}
    assert {"old-acme-to0", "new-acme-to4", "old-digits", "new-digits", "silent"} <= names


def test_a_held_account_keeps_the_number_from_being_erased_anywhere(dialled: Settings, database: Connection) -> None:
    """Nothing is removed and nothing begun; of an account that is not held it goes."""
    holds.place(database, "acme", by_whom="court", reason="")
    before = left(dialled, database)
    with pytest.raises(AccountHeld, match="acme"):
        erase_calls(dialled, request(None, number=NUMBER))
    assert left(dialled, database) == before
    assert database.execute("SELECT count(*) FROM erasure").fetchone() == (0,)
    assert erase_calls(dialled, request("digits", number=NUMBER)).erasure.calls == 2


def test_a_short_number_is_one_account_s(local_settings: Settings, database: Connection) -> None:
    """An extension is another one's in every account; what is no number is refused."""
    for account in ("acme", "uk"):
        put(database, f"of {account}", account, TODAY - 1, from_num="1001", to_num="+4930123")
        put(database, f"not {account}", account, TODAY - 1, from_num="10011", to_num="+49301001", cost_micros=1001)
    for wrong in ("1001", "anonymous", "+"):
        with pytest.raises(UsageError):
            erase_calls(local_settings, request(None, number=wrong))
    assert erase_calls(local_settings, request("acme", number="1001")).erasure.calls == 1
    assert {row[0] for row in stored(database)} == {"not acme", "of uk", "not uk"}


def test_the_number_is_in_no_receipt(dialled: Settings, database: Connection) -> None:
    """Neither in the file nor in the database."""
    report = erase_calls(dialled, request(None, number=NUMBER))
    assert b"79460123" not in report.receipt.read_bytes()
    assert database.execute("SELECT of_number, number FROM erasure").fetchone() == (True, None)
