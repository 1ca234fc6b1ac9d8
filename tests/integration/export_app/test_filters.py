"""Filters by account, number, cause and state: in rows and archive, page by page, and in syncs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug.test import TestResponse

from export_app.calls.cursor import CallsCursor, SyncCursor, encode
from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.databases import written_when_ended
from tests.factories import BUSY, UP
from tests.integration.export_app.api_requests import refused
from tollbook.config import Settings
from tollbook.model.filters import Filters
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.history import read_epoch
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.accounts import set_numbering
from tollbook.times import MS_PER_DAY, current_day

Ask = Callable[..., TestResponse]
Put = Callable[..., None]

TODAY = current_day()
SYNCED = (TODAY - 30) * MS_PER_DAY
# One number of Berlin, as a German phone and the carriers write it; 030123456 is a part of another one, too.
BERLIN = ("+4930123456", "004930123456", "4930123456", "030123456")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path, rate_limit=1_000_000)


@pytest.fixture
def both_tiers(settings: Settings, put: Put, accounts: Connection) -> None:
    """In each tier calls to Berlin in every spelling, one from there, one to Paris, a busy one; of other one, too."""
    set_numbering(accounts, "acme", "DE")
    for tier, day in (("old", TODAY - 60), ("new", TODAY - 1)):
        start_ts = day * MS_PER_DAY
        for place, number in enumerate(BERLIN):
            put(f"{tier} to {number}", to_num=number, start_ts=start_ts + place)
        put(f"{tier} from", from_num="030123456", to_num="100", start_ts=start_ts + 10)
        put(f"{tier} longer", to_num="03012345678", start_ts=start_ts + 11)
        put(f"{tier} Paris", to_num="+33123456789", start_ts=start_ts + 12)
        put(f"{tier} busy", to_num="200", start_ts=start_ts + 13, **BUSY)
        put(f"{tier} of other", to_num="+4930123456", account_id="other", start_ts=start_ts + 14)
    put("up", to_num="300", start_ts=(TODAY - 1) * MS_PER_DAY + 20, **UP)
    archive_calls(settings, now=True)
    written_when_ended(accounts)
    assert prune_days(settings, today=TODAY).calls == 9


def read(ask: Ask, secret: str, **filters: object) -> list[str]:
    """Return the ids that a filter finds, the same in one page, in pages of two and in a sync of the newer ones."""
    whole = [row["call_id"] for row in ask(secret, **filters).get_json()["rows"]]
    page = ask(secret, limit=2, **filters).get_json()
    walked = [row["call_id"] for row in page["rows"]]
    while "next_cursor" in page:
        page = ask(secret, limit=2, cursor=page["next_cursor"]).get_json()
        walked += [row["call_id"] for row in page["rows"]]
    assert walked == whole
    page = ask(secret, limit=2, updated_since=SYNCED, **filters).get_json()
    synced = [row["call_id"] for row in page["rows"]]
    while "next_cursor" in page:
        page = ask(secret, limit=2, cursor=page["next_cursor"]).get_json()
        synced += [row["call_id"] for row in page["rows"]]
    assert sorted(synced) == sorted(name for name in whole if not name.startswith("old"))
    assert ask(secret, cursor=page["sync_cursor"]).status_code == 200
    return sorted(whole)


def of_both(*names: str) -> list[str]:
    return sorted(f"{tier} {name}" for tier in ("old", "new") for name in names)


TO_BERLIN = tuple(f"to {number}" for number in BERLIN)


@pytest.mark.usefixtures("both_tiers")
def test_a_number_is_found_in_any_spelling(ask: Ask, key: str) -> None:
    """However it is asked for and was dialled; as it is written it is a beginning; from and to are told apart."""
    for number in (*BERLIN[:3], "+49 30 12-34-56"):
        assert read(ask, key, number=number) == of_both(*TO_BERLIN, "from")
    assert read(ask, key, number="030123456") == of_both(*TO_BERLIN, "from", "longer")
    assert read(ask, key, to_num="+4930123456") == of_both(*TO_BERLIN)
    assert read(ask, key, from_num="004930123456") == of_both("from")
    assert read(ask, key, from_num="1001", to_num="+4930123456") == of_both(*TO_BERLIN)
    assert read(ask, key, number="+33") == of_both("Paris")
    assert read(ask, key, number="200") == of_both("busy")


@pytest.mark.usefixtures("both_tiers")
def test_an_operator_reads_one_account(ask: Ask, operator_key: str, key: str) -> None:
    """Its calls in both tiers, by its numbering plan; without an account there is no plan."""
    assert read(ask, operator_key, account="other") == of_both("of other")
    assert read(ask, operator_key, account="acme", to_num="030123456") == of_both(*TO_BERLIN, "longer")
    assert read(ask, operator_key, to_num="+4930123456") == of_both("to +4930123456", "to 4930123456", "of other")
    assert read(ask, operator_key, account="nobody") == []
    refused(ask(key, account="other"), 403, "operator_only")
    refused(ask(key, path="/v1/stats", account="other"), 403, "operator_only")


@pytest.mark.usefixtures("both_tiers")
def test_cause_and_state_are_filters(ask: Ask, key: str) -> None:
    """Of hung-up calls by their cause; calls that are up are none of the archive's."""
    assert read(ask, key, hangup_cause="USER_BUSY") == of_both("busy")
    assert read(ask, key, open="true") == ["up"]
    assert "up" not in read(ask, key, open="false")
    assert len(read(ask, key, open="false")) == 16


@pytest.mark.usefixtures("both_tiers")
def test_stats_take_the_same_filters(ask: Ask, key: str, operator_key: str) -> None:
    """Rows and archive are added up by each of them, and of one account for an operator."""
    asked: list[tuple[str, dict[str, Any], int]] = [
        (key, {"number": "+4930123456"}, 10), (key, {"hangup_cause": "USER_BUSY"}, 2), (key, {"open": "true"}, 1),
        (operator_key, {"account": "other"}, 2), (operator_key, {"account": "acme", "from_num": "+4930123456"}, 2),
        (operator_key, {"account": "other", "group_by": "queue"}, 2),
    ]  # fmt: skip
    for secret, filters, calls in asked:
        answer = ask(secret, path="/v1/stats", since=0, **filters).get_json()
        assert answer["total"]["calls"] == calls, (filters, answer)


@pytest.mark.usefixtures("both_tiers")
def test_a_cursor_keeps_its_filters(ask: Ask, key: str, operator_key: str, accounts: Connection) -> None:
    """Another value beside the cursor is an error; and no cursor that a tenant signed itself reads another account."""
    cursor = ask(operator_key, limit=1, account="acme", number="+4930123456", open="false").get_json()["next_cursor"]
    for name, value in (("account", "other"), ("number", "030123456"), ("open", "true"), ("hangup_cause", "USER_BUSY")):
        refused(ask(operator_key, cursor=cursor, **{name: value}), 400, "cursor_mismatch")
    assert ask(operator_key, cursor=cursor, account="acme", open="false").status_code == 200
    hashed = keys.key_hash(key)
    assert hashed is not None
    foreign = Filters(account="other")
    made_s = TODAY * 86_400
    forged = CallsCursor(
        since=0, until=10**14, order="asc", filters=foreign, made_s=made_s, start_ts=0, call_id="", switch=""
    )
    refused(ask(key, cursor=encode(forged, hashed)), 403, "operator_only")
    sync = SyncCursor(first=1, epoch=read_epoch(accounts), filters=foreign, made_s=made_s)
    refused(ask(key, cursor=encode(sync, hashed)), 403, "operator_only")


def test_a_sync_of_one_account_deletes_its_own(ask: Ask, put: Put, accounts: Connection, operator_key: str) -> None:
    """What another account lost is nothing to delete in a copy of this one's calls."""
    start_ts = (TODAY - 1) * MS_PER_DAY
    for account_id in ("acme", "other"):
        put(f"of {account_id}", account_id=account_id, start_ts=start_ts)
    accounts.execute("UPDATE call_cdr SET account_id = 'third' WHERE call_id = 'of other'")
    tariffs.add_account(accounts, tariffs.Account(account_id="third", name="third", plan_id=None))
    page = ask(operator_key, updated_since=SYNCED, account="other").get_json()
    assert (page["rows"], [call["call_id"] for call in page["deleted"]]) == ([], ["of other"])
    page = ask(operator_key, updated_since=SYNCED, account="acme").get_json()
    assert ([row["call_id"] for row in page["rows"]], page["deleted"]) == (["of acme"], [])
