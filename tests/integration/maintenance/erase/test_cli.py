"""`tollbook account erase` at the command line: it shows first, wants a yes, lists its receipts."""

from pathlib import Path

from tests.commands import Tollbook
from tests.databases import store
from tests.factories import call
from tollbook.store.database import Connection


def test_it_shows_what_goes_and_wants_a_yes(tollbook: Tollbook, database: Connection) -> None:
    """Without a terminal and without --yes nothing is erased; the receipt is printed and listed."""
    assert tollbook("account", "add", "acme").returncode == 0
    store(database, call("a"), call("b"), call("c", "other"))
    asked = tollbook("account", "erase", "acme")
    assert (asked.returncode, "2 calls in PostgreSQL" in asked.stdout, "--yes" in asked.stderr) == (64, True, True)
    assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (3,)
    assert tollbook("account", "erasures").stdout == ""
    done = tollbook("account", "erase", "acme", "--yes", "--reason", "ticket 7")
    assert (done.returncode, "erased: 2 calls" in done.stdout) == (0, True), done.stderr
    assert database.execute("SELECT call_id FROM call_cdr").fetchall() == [("c",)]
    listed = tollbook("account", "erasures").stdout.split("\t")
    assert (listed[1:3], listed[4]) == (["account acme", "2 calls"], "ticket 7")


def test_wrong_use_is_refused(tollbook: Tollbook) -> None:
    """Nothing to erase named, a short number of everybody, the number in the reason."""
    for arguments in (
        (),
        ("--number", "1001"),
        ("--number", "+442079460123", "--reason", "asked by +442079460123"),
        ("--number", "+442079460123", "--reason", "asked by +44 20 7946 0123"),
        ("acme", "--cdr-dir", "not there"),
    ):
        assert tollbook("account", "erase", *arguments, "--yes").returncode in (2, 64)


def test_a_mistyped_account_gets_no_receipt(tollbook: Tollbook, database: Connection) -> None:
    """Of an account that is not there and has no call; one that was recorded without being added can be erased."""
    store(database, call("a", "unadded"))
    refused = tollbook("account", "erase", "acne", "--yes")
    assert (refused.returncode, "there is no account 'acne'" in refused.stderr) == (64, True)
    assert tollbook("account", "erase", "unadded", "--yes").returncode == 0
    assert len(tollbook("account", "erasures").stdout.splitlines()) == 1


def test_it_says_that_no_folder_of_cdr_files_is_searched(
    tollbook: Tollbook, database: Connection, tmp_path: Path
) -> None:
    """`recover` brings back what is in one that the erasure does not know."""
    store(database, call("a"))
    line = "no folder of the switch's CDR files is named (TOLLBOOK_CDR_DIR, --cdr-dir)"
    assert line in tollbook("account", "erase", "acme").stdout
    assert line not in tollbook("account", "erase", "acme", "--cdr-dir", str(tmp_path)).stdout


def test_a_refusal_by_the_archive_leaves_no_erasure_behind(tollbook: Tollbook, database: Connection) -> None:
    """Otherwise it could not be placed under a hold any more, although nothing was removed."""
    assert tollbook("account", "add", "acme").returncode == 0
    store(database, call("a"))
    assert tollbook("archive", "run", "--now").returncode == 0
    database.execute("UPDATE archive_commit SET commit_id = gen_random_uuid()")  # as in a copy
    refused = tollbook("account", "erase", "acme", "--yes", "--reason", "r")
    assert refused.returncode == 78, refused.stdout + refused.stderr
    assert tollbook("account", "erasures").stdout == ""
    assert tollbook("account", "hold", "acme", "--reason", "court order").returncode == 0
    assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (1,)


def test_under_a_hold_its_exit_code_is_its_own(tollbook: Tollbook, database: Connection) -> None:
    """77, and how to lift it."""
    assert tollbook("account", "add", "acme").returncode == 0
    store(database, call("a"))
    assert tollbook("account", "hold", "acme").returncode == 0
    refused = tollbook("account", "erase", "acme", "--yes")
    assert (refused.returncode, "tollbook account hold acme --release" in refused.stderr) == (77, True)
    assert database.execute("SELECT count(*) FROM call_cdr").fetchone() == (1,)
