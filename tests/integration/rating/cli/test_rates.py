"""`tollbook rates` as an operator types it: what it does and prints, and its exit codes."""

from pathlib import Path

import psycopg
import pytest

from tests.commands import Tollbook
from tests.integration.rating.cli.rate_files import DECK, Deck, rates


def test_from_a_rate_file_to_an_account_with_a_number(tollbook: Tollbook, deck: Deck, database_url: str) -> None:
    done = tollbook("rates", "import", deck(DECK), "--plan", "retail", "--currency", "EUR")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "2 rates imported into plan retail (EUR) as version 1; 0 are as before\n"
        "  2 new\n"
        "    outbound 49 Germany: 0.012000\n"
        "    outbound 4930 Berlin: 0.010000\n"
    )
    assert rates(database_url) == [
        ("retail", "EUR", "49", 12_000, 60, 60, "Germany"),
        ("retail", "EUR", "4930", 10_000, 1, 1, "Berlin"),
    ]
    done = tollbook("account", "add", "acme", "--name", "Müller & Söhne", "--plan", "retail")
    assert (done.returncode, done.stdout) == (0, "account acme added\n")
    assert tollbook("account", "add", "plain").returncode == 0
    assert tollbook("account", "list").stdout == (
        "acme\tMüller & Söhne\tretail\t(digits)\nplain\tplain\t(no plan)\t(digits)\n"
    )
    done = tollbook("account", "number", "add", "acme", "+4930100", "+4930200")
    assert (done.returncode, done.stdout) == (0, "2 numbers belong to acme\n")
    assert tollbook("account", "number", "list").stdout == "4930100\tacme\n4930200\tacme\n"


def test_an_import_replaces_the_plan_and_keeps_its_currency(tollbook: Tollbook, deck: Deck, database_url: str) -> None:
    """--currency is for a new plan: without it, next month's prices of a plan in EUR are not taken to be in USD."""
    tollbook("rates", "import", deck(DECK), "--plan", "retail", "--currency", "EUR")
    assert tollbook("rates", "import", deck("prefix,per_min\n33,1\n"), "--plan", "retail").returncode == 0
    assert rates(database_url) == [("retail", "EUR", "33", 1_000_000, 60, 60, "outbound 33")]
    assert tollbook("rates", "import", deck("prefix,per_min\n33,1\n"), "--plan", "new").returncode == 0
    assert rates(database_url)[0][:2] == ("new", "USD")


def test_a_file_from_a_spreadsheet_is_read(tollbook: Tollbook, deck: Deck, database_url: str) -> None:
    """With a byte order mark, CRLF, quotes, and columns in any order and case."""
    content = '\ufeffPer_Min,Prefix,Name\r\n"0.012","+49","Germany, all"\r\n'
    assert tollbook("rates", "import", deck(content), "--plan", "retail").returncode == 0
    assert rates(database_url) == [("retail", "USD", "49", 12_000, 60, 60, "Germany, all")]


def test_every_bad_line_is_named_and_nothing_is_imported(tollbook: Tollbook, deck: Deck, database_url: str) -> None:
    tollbook("rates", "import", deck(DECK), "--plan", "retail")
    before = rates(database_url)
    content = "prefix,per_min,increment\n49,1,60\nx,1,1/1\n33,free,1/1\n44,1,1/1\n"
    for more in ([], ["--dry-run"]):
        done = tollbook("rates", "import", deck(content), "--plan", "retail", *more)
        assert done.returncode == 65
        assert done.stderr == (
            "tollbook: nothing was imported:\n"
            "  line 2: increment '60' is not written like 60/60, 30/6 or 1/1\n"
            "  line 3: prefix 'x' is not digits\n"
            "  line 4: per_min 'free' is not an amount\n"
        )
        assert done.stdout == ""
    assert rates(database_url) == before


def test_a_dry_run_changes_nothing(tollbook: Tollbook, deck: Deck, database_url: str) -> None:
    """It says what would change against today."""
    done = tollbook("rates", "import", deck(DECK), "--plan", "retail", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("2 rates would be imported into plan retail (USD) as version 1; 0 are as before\n")
    assert done.stdout.endswith("\nnothing was changed\n")
    assert rates(database_url) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"prefix,per_min,name\n49,1,M\xfcller\n", "is not UTF-8 text: save it as CSV UTF-8"),
        (b"\xff\xfep\x00r\x00", "is not UTF-8 text"),
        (b"", "must name the columns prefix and per_min"),
        (b"prefix\tper_min\n49\t1\n", "separate the columns by , or ;"),
        (b"prefix,per_min,name\n49,1,a\0b\n", "NUL"),
    ],
)
def test_a_file_that_is_no_deck_is_refused(tollbook: Tollbook, deck: Deck, content: bytes, message: str) -> None:
    done = tollbook("rates", "import", deck(content), "--plan", "retail")
    assert (done.returncode, done.stdout) == (65, "")
    assert message in done.stderr


@pytest.mark.parametrize("currency", ["usd", "US", "EURO", "A1B", "ÄÖÜ", ""])
def test_a_currency_has_three_letters(tollbook: Tollbook, deck: Deck, currency: str) -> None:
    done = tollbook("rates", "import", deck(DECK), "--plan", "retail", "--currency", currency)
    assert done.returncode == 64
    assert "write three capital letters, for instance USD" in done.stderr


def test_what_cannot_be_done_is_refused_and_changes_nothing(tollbook: Tollbook, database_url: str) -> None:
    tollbook("account", "add", "acme")
    tollbook("account", "add", "other")
    tollbook("account", "number", "add", "other", "222")
    for arguments, message in (
        (["account", "add", "acme"], "the account 'acme' exists already"),
        (["account", "add", "new", "--plan", "gold"], "there is no rate plan 'gold': import it first"),
        (["account", "number", "add", "nobody", "1"], "there is no account 'nobody': add it first"),
        (["account", "number", "add", "acme", "111", "222"], "222 belongs to other: no number was added"),
    ):
        done = tollbook(*arguments)
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.startswith(f"tollbook: {message}")
        assert done.stderr.count("\n") == 1
    assert tollbook("account", "number", "list").stdout == "222\tother\n"
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (2,)


def test_a_new_price_list_says_what_changes(tollbook: Tollbook, deck: Deck) -> None:
    tollbook("rates", "import", deck(DECK), "--plan", "retail")
    changed = DECK.replace("0.012", "0.013").replace("4930,0.01,", "4930,0.009,") + "33,0.02,1/1,France\n"
    done = tollbook("rates", "import", deck(changed), "--plan", "retail")
    assert done.stdout == (
        "3 rates imported into plan retail (USD) as version 2; 0 are as before\n"
        "  1 cheaper\n    outbound 4930 Berlin: 0.010000 -> 0.009000\n"
        "  1 dearer\n    outbound 49 Germany: 0.012000 -> 0.013000\n"
        "  1 new\n    outbound 33 France: 0.020000\n"
    )
    done = tollbook("rates", "import", deck(changed), "--plan", "retail")
    assert done.stdout == "plan retail (USD) has these 3 rates already, since version 2\n"


def test_what_is_dearer_is_shown_with_its_fee_and_increment(tollbook: Tollbook, deck: Deck) -> None:
    header = "prefix,per_min,connection_fee,increment,name\n"
    tollbook("rates", "import", deck(f"{header}49,0.01,,1/1,A\n44,0.01,0.1,60/60,B\n"), "--plan", "retail")
    done = tollbook("rates", "import", deck(f"{header}49,0.01,,60/60,A\n44,0.01,0.2,60/60,B\n"), "--plan", "retail")
    assert done.stdout.splitlines()[1:] == [
        "  2 dearer",
        "    outbound 44 B: 0.010000 fee 0.100000 -> 0.010000 fee 0.200000",
        "    outbound 49 A: 0.010000 by 1/1 -> 0.010000 by 60/60",
    ]


def test_a_change_notice_says_what_it_leaves_alone(tollbook: Tollbook, deck: Deck) -> None:
    tollbook("rates", "import", deck("prefix,per_min\n44,1\n49,1\n33,1\n"), "--plan", "retail")
    notice = deck("prefix,per_min,valid_from\n44,2,2027-01-01\n")
    done = tollbook("rates", "import", notice, "--plan", "retail", "--update", "--dry-run")
    head = (
        "1 rates would be imported into plan retail (USD) as version 2, for their prefixes alone;"
        " of its 4 rates 2 are as before"
    )
    assert done.stdout.splitlines() == [
        head,
        "  1 dearer",
        "    outbound 44 outbound 44: 1.000000 -> 2.000000",
        "nothing was changed",
    ]
    whole = tollbook("rates", "import", deck("prefix,per_min\n44,2\n"), "--plan", "retail")
    assert "warning: most prefixes are gone. If the file is a change notice, import it with --update" in whole.stdout
    assert tollbook("rates", "import", notice, "--plan", "none", "--update").returncode == 64


def test_prefixes_that_match_nothing_are_warned_of(tollbook: Tollbook, deck: Deck) -> None:
    done = tollbook("rates", "import", deck("prefix,per_min\n0044,1\n49,1\n"), "--plan", "retail")
    assert "warning: 1 prefixes match no number that a numbering plan reads" in done.stdout
    assert "without 00: 0044" in done.stdout


def test_an_export_is_what_an_import_takes(tollbook: Tollbook, deck: Deck, tmp_path: Path) -> None:
    """Names with anything in them, times, prices to the micro: exported and imported again, nothing changes."""
    content = (
        "prefix,per_min_micros,connection_fee,increment,valid_from,valid_to,name,direction\n"
        '49,1,0.5,30/6,2026-01-01,2026-07-01T00:00:00.001Z,"Germany, ""old""\nprice",outbound\n'
        ",0,,1/1,,,Free,inbound\n"
    )
    tollbook("rates", "import", deck(content), "--plan", "retail")
    exported = tollbook("rates", "export", "--plan", "retail")
    assert exported.stdout.splitlines()[:2] == [
        "direction,prefix,per_min,connection_fee,increment,valid_from,valid_to,name",
        "inbound,,0.000000,0.000000,1/1,,,Free",
    ]
    done = tollbook("rates", "import", deck(exported.stdout), "--plan", "retail")
    assert done.stdout == "plan retail (USD) has these 2 rates already, since version 1\n"
    assert tollbook("rates", "export", "--plan", "gold").returncode == 64


def test_a_deck_of_several_files_is_one(tollbook: Tollbook, tmp_path: Path) -> None:
    """Another cut of the same lines is the same deck, and a bad line is named with its file."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("prefix,per_min\n49,1\n")
    two.write_text("prefix,per_min\n33,1\n44,1\n")
    assert tollbook("rates", "import", str(one), str(two), "--plan", "p").stdout.startswith("3 rates imported")
    one.write_text("prefix,per_min\n49,1\n44,1\n")
    two.write_text("prefix,per_min\n33,1\n")
    assert tollbook("rates", "import", str(two), str(one), "--plan", "p").stdout.startswith("plan p (USD) has these 3")
    two.write_text("prefix,per_min\n+49,1\n")
    done = tollbook("rates", "import", str(two), str(one), "--plan", "p")
    assert "one.csv line 2: outbound prefix '49' is also rated on two.csv line 2 for the same time" in done.stderr


def test_a_price_is_explained_before_anybody_calls(tollbook: Tollbook, deck: Deck) -> None:
    tollbook("rates", "import", deck(DECK), "--plan", "retail", "--currency", "EUR")
    tollbook("rates", "import", deck("prefix,per_min,name\n39,1,Italy\n"), "--plan", "special", "--base", "retail")
    tollbook("account", "add", "acme", "--plan", "special", "--numbering", "DE")
    done = tollbook(
        "rates", "explain", "--account", "acme", "030 123456", "--at", "2026-03-01T12:00:00", "--seconds", "7"
    )
    assert (done.returncode, done.stdout) == (
        0,
        "account acme, 2026-03-01T12:00:00Z: plan special\n"
        "outbound 030 123456 is compared as 4930123456\n"
        "rate Berlin of plan retail, version 1\n"
        "4930 is the longest prefix with a rate, 0.010000 a minute, 1/1."
        " 7 s are billed as 1 s + 6 × 1 s = 7 s: 7 × 0.010000 / 60 = 0.001167 (rounded up)\n"
        "0.001167 EUR\n",
    )
    for arguments, message in (
        (["123"], "unrated: no number of numbering plan DE: outbound 123"),
        (["112"], "unrated: no rate for outbound short code 112"),
        (["1001", "--direction", "internal"], "the plan prices no internal calls: 0"),
    ):
        done = tollbook("rates", "explain", "--account", "acme", *arguments)
        assert done.returncode == 0
        assert message in done.stdout
    assert "unrated: no such account" in tollbook("rates", "explain", "--account", "ghost", "49").stdout
    assert tollbook("rates", "explain", "--account", "acme", "49", "--at", "soon").returncode == 64


def test_without_a_schema_or_a_server_the_commands_say_what_to_do(tollbook: Tollbook, database_url: str) -> None:
    gone = database_url.replace("@/", "@/no_such_").replace("?host", "_?host")
    done = tollbook("account", "list", database_url=gone)
    assert done.returncode == 75
    assert "check TOLLBOOK_DATABASE_URL" in done.stderr
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE alembic_version")
    done = tollbook("account", "list")
    assert done.returncode == 75  # whoever restarts us may find it done
    assert "run `tollbook db upgrade`" in done.stderr
