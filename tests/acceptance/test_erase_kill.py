"""`tollbook account erase` is killed at random points; run again, it erases the rest, and the receipt is right."""

import json
import random
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from maintenance.recover.run import recover_calls
from tests.archiving import archive_now, archived, stored
from tests.commands import Start
from tests.databases import store
from tests.everywhere import places_of
from tests.factories import call
from tests.paths import CALLS
from tollbook.config import Settings
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

FIRST_MS = int((time.time() - 100 * 86400) * 1000)
OURS = (b"49301112223",)
LONGEST_S = 2.5
PATIENCE_S = 120.0
CDR_CALLS = 20


def lay_files(folder: Path, accounts: Sequence[str]) -> None:
    """Lay CDR files of a recording for each account, each with ids of its own; only the first leg names the account."""
    folder.mkdir()
    for number, account in enumerate(accounts):
        for file in (CALLS / "attended_transfer" / "json_cdr").iterdir():
            # Every id of the recording, also those of parents, becomes another one.
            text = re.sub(r"[0-9a-f]{8}(?=-[0-9a-f]{4}-)", rf"\g<0>{number:02}", file.read_text())
            content = json.loads(text)
            if "accountcode" in content["variables"]:
                content["variables"]["accountcode"] = account
            (folder / f"{number}-{file.name}").write_text(json.dumps(content))


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.soak)])
def test_killed_at_random_points(start: Start, database_url: str, tmp_path: Path, kills: int) -> None:
    """However often: in the end nothing of the account is left, the other's calls are equal, a receipt counts all."""
    seed = random.SystemRandom().randrange(10**9)
    chance = Random(seed)
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    with connect(database_url, name="test", autocommit=True) as database:
        for account_id in ("acme", "other"):
            tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
        for piece in range(3):
            for account, number in (("acme", "+49301112223"), ("other", "+4930555")):
                starts = enumerate(FIRST_MS + (piece * 1500 + n) % 90 * MS_PER_DAY + n for n in range(1500))
                store(database, *(call(f"{account}{piece}-{n}", account, at, from_num=number) for n, at in starts))
            archive_now(settings)
        folder, accounts = tmp_path / "json_cdr", ["acme", "other"] * CDR_CALLS
        lay_files(folder, accounts)
        recover_calls(settings, folder)
        archive_now(settings)
        before, theirs = archived(settings, "other"), cdr_files_of(folder, "other")
        assert len(cdr_files_of(folder, "acme")) == len(theirs) > 0
        files = len(list(folder.rglob("*.json")))
        erase = ("account", "erase", "acme", "--yes", "--reason", "ticket 7", "--cdr-dir", str(folder))
        for _ in range(kills):
            victim = start(*erase)
            victim.wait_for("to be erased", PATIENCE_S)
            time.sleep(chance.uniform(0, LONGEST_S))  # any moment will do: that is what is tested
            code = victim.stop(signal.SIGKILL)
            assert code in (0, -signal.SIGKILL), f"seed {seed}: {victim.output}"
            unfinished = database.execute("SELECT count(*) FROM erasure WHERE finished_at IS NULL").fetchone()
            if code == 0:
                assert unfinished == (0,), f"seed {seed}"
                break
            receipts = list((tmp_path / "data" / "receipts").glob("*.json"))
            assert not receipts or not stored(database, "acme"), f"seed {seed}: a receipt of what is still there"
        last = start(*erase)
        assert last.process.wait(PATIENCE_S) == 0, f"seed {seed}: {last.output}"
        assert places_of(settings, *OURS) == set(), f"seed {seed}"
        assert archived(settings, "other") == before, f"seed {seed}"
        assert stored(database, "acme") == []
        calls, finished, counts = database.execute(
            "SELECT calls, finished_at IS NOT NULL, counts FROM erasure ORDER BY begun_at"
        ).fetchone()
        assert (calls, finished) == (4500 + CDR_CALLS, True), f"seed {seed}"
        assert counts[f"CDR files in {folder}"] == files // 2, f"seed {seed}"
        assert cdr_files_of(folder, "other") == theirs, f"seed {seed}"
        assert len(list(folder.rglob("*.json"))) == files // 2, f"seed {seed}: files of legs that name no account"
        receipt = json.loads(min((tmp_path / "data" / "receipts").glob("*.json")).read_bytes())
        assert receipt["reason"] == "ticket 7"


def cdr_files_of(folder: Path, account: str) -> set[str]:
    return {path.name for path in folder.rglob("*.json") if f'"accountcode": "{account}"' in path.read_text()}
