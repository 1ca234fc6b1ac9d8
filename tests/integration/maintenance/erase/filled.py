"""Calls of two accounts, acme and other, in every place that keeps any."""

import time
from typing import Any

import msgspec

from maintenance.compaction.run import compact_archive
from maintenance.erase.preview import EraseRequest
from maintenance.prune.run import prune_days
from rating.engine import Tariffs
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import UP, call, leg
from tollbook.config import Settings
from tollbook.model.details import Details
from tollbook.model.fold import FoldSettings
from tollbook.spool_files import dead_letter_folder, refused_leg_path
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import price_history, tariffs
from tollbook.times import MS_PER_DAY, current_day

TODAY = current_day()
NOW_MS = int(time.time() * 1000)
FIRST = TODAY - 75
#: Numbers and names of acme's that nothing else has.
OURS = (
    b"+49301112223", b"49301112223", b"+49409998887", b"49409998887", b"acme-agent", b"acme-caller", b"acme-sip",
    b"192.0.2.99", b"acme-recording", b"acme-campaign",
)  # fmt: skip
OURS_IN_DETAILS = Details(
    sip_call_id="acme-sip@192.0.2.99", source_ip="192.0.2.99", recordings=("/recordings/acme-recording.wav",),
    vars={"sip_h_X-Campaign": "acme-campaign"},
)  # fmt: skip


def of_acme(name: str, day: int, **changed: Any) -> Any:
    fields = {"from_num": "+49301112223", "to_num": "+49409998887", "agent_id": "acme-agent"} | changed
    fields = {"details": OURS_IN_DETAILS} | fields
    return call(name, "acme", day * MS_PER_DAY + 7, **fields)


def of_other(name: str, day: int, **changed: Any) -> Any:
    return call(name, "other", day * MS_PER_DAY + 7, **changed)


def heard(settings: Settings, uid: str, account: str, day: int, caller: str) -> None:
    """A call of two legs, written as the listener writes it."""
    start_us = day * MS_PER_DAY * 1000 + 9_000
    legs = [
        leg(uid, start_us=start_us, end_us=start_us + 60_000_000, account=account, caller=caller, dialed="1001"),
        leg(f"{uid}-b", start_us=start_us, end_us=start_us + 60_000_000, parent=uid, caller=caller, dialed="1001"),
    ]
    with connect(settings.require_database_url(), name="test") as connection:
        write_batch(connection, legs, FoldSettings(), Tariffs().price, Partitions())


def fill(settings: Settings, database: Connection) -> Settings:
    """Calls of two accounts everywhere: pruned, late, archived, re-rated, waiting, up, refused; several snapshots."""
    for account_id in ("acme", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
    tariffs.add_numbers(database, "acme", ["+49301112223"])
    tariffs.add_numbers(database, "other", ["+4930555"])
    for number in range(30):
        day = FIRST + number // 3 * 6  # of three months, and few to prune
        store(database, of_acme(f"a{number}", day), of_other(f"o{number}", day))
        if number % 10 == 9:
            archive_now(settings)
    for account, caller in (("acme", "+49301112223"), ("other", "+4930555")):
        heard(settings, f"heard-{account}", account, TODAY - 3, caller)
    with database.transaction():
        run = price_history.begin_run(database, by_whom="me", reason="test", scope="all")
        database.execute(
            "INSERT INTO price_history"
            " (start_ts, call_id, switch, revision, account_id, cost_micros, parts, run_id, cause)"
            " SELECT start_ts, call_id, switch, revision, account_id, cost_micros, parts, %s, 'rerate' FROM call_cdr"
            " WHERE end_ts IS NOT NULL",
            (run,),
        )
    archive_now(settings)
    compact_archive(settings)
    prune_days(settings, today=TODAY)
    store(database, of_acme("a0", FIRST, cost_micros=5), of_other("o0", FIRST, cost_micros=5))  # late, and waiting
    store(database, of_acme("waits", TODAY - 1), of_other("waits-o", TODAY - 1))
    store(database, of_acme("moved", TODAY - 2), of_other("moved-o", TODAY - 2))
    archive_now(settings)
    # Archived under one account, and by now the other's.
    store(database, of_other("moved", TODAY - 2, from_num="+4930777"), of_acme("moved-o", TODAY - 2))
    store(database, of_other("up", TODAY - 1, answer_ts=None, answered=0, **UP))
    letters = dead_letter_folder(settings.data_dir)
    letters.mkdir(parents=True)
    for account in ("acme", "other"):
        refused = leg(f"refused-{account}", account=account, caller=f"{account}-caller")
        content = msgspec.json.encode({"reason": "a NUL", "leg": refused})
        refused_leg_path(letters, account).write_bytes(content)
    return settings


def request(account_id: str | None = "acme", **changed: Any) -> EraseRequest:
    wanted: dict[str, Any] = {"account_id": account_id, "number": None, "until_ts": NOW_MS, "by_whom": "me@here"}
    return EraseRequest(**{**wanted, "reason": "ticket 7", **changed})
