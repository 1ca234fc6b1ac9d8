"""The command `tollbook statement`: what it prints, what it writes, and what it refuses."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from tests.commands import Tollbook
from tests.databases import store
from tests.factories import UP, call
from tests.integration.maintenance.statement.months import AUGUST, at
from tollbook.store.database import Connection

SETTINGS = {"issuer_name": "Tele GmbH", "issuer_address": "Straße 1; Berlin", "taxes": "VAT=19"}


@pytest.fixture
def account(tollbook: Tollbook, database: Connection) -> str:
    """An account with calls in August, one of which has not ended."""
    tollbook("account", "add", "acme", "--name", "Acme Ltd")
    store(database, call("a", "acme", at("2026-08-05"), cost_micros=1_234_567, destination="Germany\x1b[31m"))
    store(database, call("up", "acme", at("2026-08-06"), **UP))
    return "acme"


def test_a_draft_is_printed_and_issued_as_a_table(tollbook: Tollbook, account: str) -> None:
    """With every line, the totals, and what is not counted; a name cannot turn the terminal red."""
    none = tollbook("statement", "--account", account, **SETTINGS)
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "no statement of acme is issued yet: --month 2026-11 shows a draft\n"
    unknown = tollbook("statement", "--account", "nobody", **SETTINGS)
    assert (unknown.returncode, unknown.stdout) == (64, "")
    assert "there is no account 'nobody'" in unknown.stderr
    draft = tollbook("statement", "--account", account, "--month", AUGUST, **SETTINGS)
    assert draft.returncode == 0, draft.stderr
    for wanted in (
        "draft of a statement: account acme, 2026-08 (UTC)", r"Germany\x1b[31m", "1.234567", "VAT 19 %", "1.46",
        "not ended: tollbook explain up",
    ):  # fmt: skip
        assert wanted in draft.stdout, draft.stdout
    issued = tollbook("statement", "--account", account, "--month", AUGUST, "--issue", **SETTINGS)
    assert issued.stdout.startswith("statement T-000001: account acme")
    listed = tollbook("statement", "--account", account, **SETTINGS)
    assert listed.stdout.split("\t")[:3] == [AUGUST, "T-000001", "1.46 EUR"]
    assert listed.stdout.split("\t")[3].strip() in issued.stdout


def test_files_are_whole_and_private(tollbook: Tollbook, account: str, tmp_path: Path) -> None:
    """In each form; JSON and CSV also go to standard output, the same bytes."""
    asked = ("statement", "--account", account, "--month", AUGUST, "--issue", "--format")
    for form in ("json", "csv", "pdf"):
        done = tollbook(*asked, form, "--output", f"s.{form}", **SETTINGS)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert stat.S_IMODE((tmp_path / f"s.{form}").stat().st_mode) == 0o640
    assert (tmp_path / "s.pdf").read_bytes().startswith(b"%PDF-")
    answer = json.loads((tmp_path / "s.json").read_text())
    content = json.dumps(answer["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(content.encode()).hexdigest() == answer["sha256"]
    assert tollbook(*asked, "csv", **SETTINGS).stdout.encode() == (tmp_path / "s.csv").read_bytes()
    refused = tollbook(*asked, "pdf", "--output", "nowhere/s.pdf", **SETTINGS)
    assert (refused.returncode, refused.stderr) == (
        78, "tollbook: nowhere/s.pdf cannot be written: No such file or directory\n"
    )  # fmt: skip


def test_all_accounts_are_issued_and_the_one_that_fails_is_named(
    tollbook: Tollbook, account: str, database: Connection, tmp_path: Path
) -> None:
    """The others are issued; accounts without calls are left out; the exit code says that one failed."""
    for name in ("broken", "idle", "other"):
        tollbook("account", "add", name)
    store(database, call("b", "broken", at("2026-08-05")), call("c", "other", at("2026-08-05")))
    database.execute("UPDATE call_cdr SET currency = NULL WHERE account_id = 'broken'")
    database.commit()
    asked = ("statement", "--all", "--month", AUGUST, "--issue", "--format", "pdf", "--output", "out")
    done = tollbook(*asked, **SETTINGS)
    assert done.returncode == 65
    first, failed = done.stdout.splitlines()
    assert first == "2026-08: 2 statements are issued, 1 accounts had no calls, 1 failed"
    assert failed.startswith("account broken failed: calls of 2026-08 are priced without a currency")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["T-000001.pdf", "T-000002.pdf"]
    again = tollbook(*asked[:5], **SETTINGS)
    assert again.stdout.splitlines()[0] == first
    del account


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name an account with --account"),
        (("--account", "acme", "--all"), "name an account with --account"),
        (("--account", "acme", "--month", "2026-8"), "write it as 2026-11"),
        (("--unbilled",), "give --month"),
        (("--unbilled", "--month", AUGUST, "--issue"), "no --issue, --format or --output"),
        (("--all", "--month", AUGUST), "give --month and --issue, too"),
        (("--account", "acme", "--issue"), "say which month to issue"),
        (("--account", "acme", "--month", AUGUST, "--format", "pdf"), "name it with --output"),
        (("--account", "acme", "--month", AUGUST, "--output", "x"), "--format json, csv or pdf"),
        (("--all", "--month", AUGUST, "--issue", "--format", "csv"), "name a folder"),
        (("--all", "--month", AUGUST, "--issue", "--format", "csv", "--output", "/dev/null"), "no folder"),
        (("--all", "--month", AUGUST, "--issue", "--format", "csv", "--output", "/dev/null/x"), "cannot be made"),
    ],
)
def test_what_is_refused(tollbook: Tollbook, arguments: tuple[str, ...], says: str) -> None:
    """Each with what to write instead."""
    done = tollbook("statement", *arguments)
    assert done.returncode == 64
    assert says in done.stderr


def test_what_a_statement_says_of_an_account(tollbook: Tollbook, account: str) -> None:
    """Name, address, tax id, taxes and zone can be set, shown, and set back to those of the settings."""
    asked = ("account", "billing", account)
    assert tollbook(*asked).stdout == "Acme Ltd\t\t\tdefault\tdefault\n"
    new = ("--name", "Acme GmbH", "--address", "Weg 2; 1010 Wien", "--tax-id", "ATU1", "--taxes", "USt=20", "--zone")
    assert (
        tollbook(*asked, *new, "Europe/Vienna").stdout == "Acme GmbH\tWeg 2; 1010 Wien\tATU1\tUSt=20\tEurope/Vienna\n"
    )
    answer = tollbook("statement", "--account", account, "--month", AUGUST, "--format", "json", **SETTINGS)
    statement = json.loads(answer.stdout)["statement"]
    assert statement["recipient"] == {"name": "Acme GmbH", "address": ["Weg 2", "1010 Wien"], "tax_id": "ATU1"}
    assert (statement["zone"], statement["taxes"]) == ("Europe/Vienna", [{"name": "USt", "rate": "20"}])
    assert tollbook(*asked, "--taxes", "none").stdout.split("\t")[3] == "none"
    back = tollbook(*asked, "--taxes", "default", "--zone", "default").stdout.split("\t")
    assert [field.strip() for field in back[3:]] == ["default", "default"]
    wrong = tollbook(*asked, "--zone", "../etc/passwd")
    assert (wrong.returncode, "Europe/Berlin" in wrong.stderr) == (64, True)
    assert tollbook("account", "billing", "nobody", "--name", "x").returncode == 64
