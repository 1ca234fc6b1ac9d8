"""`tollbook account` as an operator types it: what it does and prints, and its exit codes."""

from tests.commands import Tollbook
from tests.integration.rating.cli.rate_files import DECK, Deck


def test_numbers_are_added_once_and_removed(tollbook: Tollbook) -> None:
    """Written in two ways, a number is one; what does not belong to the account is not taken from anybody."""
    tollbook("account", "add", "acme")
    tollbook("account", "add", "other")
    done = tollbook("account", "number", "add", "acme", "+49 30 100", "4930100", "4930200")
    assert done.stdout == "2 numbers belong to acme\n"
    tollbook("account", "number", "add", "other", "222")
    refused = tollbook("account", "number", "remove", "acme", "4930200", "222")
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "222 does not belong to acme: no number was removed" in refused.stderr
    done = tollbook("account", "number", "remove", "acme", "+4930200", "4930200")
    assert (done.returncode, done.stdout) == (0, "1 numbers no longer belong to acme\n")
    assert tollbook("account", "number", "list").stdout == "222\tother\n4930100\tacme\n"


def test_an_account_changes_its_plan_and_is_disabled(tollbook: Tollbook, deck: Deck) -> None:
    for plan in ("retail", "gold"):
        tollbook("rates", "import", deck(DECK), "--plan", plan)
    tollbook("account", "add", "acme", "--plan", "retail")
    done = tollbook("account", "plan", "acme", "gold", "--from", "2027-01-01", "--to", "2027-02-01")
    assert done.stdout == "from always\tretail\nfrom 2027-01-01\tgold\nfrom 2027-02-01\tretail\n"
    assert tollbook("account", "plan", "acme").stdout == done.stdout
    assert tollbook("account", "plan", "acme", "none", "--from", "2027-02-01").stdout.endswith(
        "2027-02-01\t(no plan)\n"
    )
    assert tollbook("account", "plan", "acme", "gold", "--from", "2027-02-01", "--to", "2027-02-01").returncode == 64
    assert tollbook("account", "plan", "nobody").returncode == 64
    assert tollbook("account", "numbering", "acme", "FR").returncode == 0
    assert "RU\tRussia\n" in tollbook("account", "numbering").stdout
    assert tollbook("account", "disable", "acme").returncode == 0
    assert tollbook("account", "list").stdout == "acme\tacme\tretail\tFR\tdisabled\n"
    assert tollbook("account", "enable", "acme").returncode == 0
    assert "disabled" not in tollbook("account", "list").stdout
    assert tollbook("rates", "list").stdout == "gold\tUSD\tversion 1\nretail\tUSD\tversion 1\n"


def test_an_id_of_odd_bytes_is_refused_in_one_line(tollbook: Tollbook) -> None:
    """A terminal in latin-1 types bytes that are not UTF-8."""
    done = tollbook("account", "add", b"M\xfcller")
    assert done.returncode == 65
    assert done.stderr.startswith("tollbook: ")
    assert done.stderr.count("\n") == 1
