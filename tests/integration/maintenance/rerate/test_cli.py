"""`tollbook rerate` as a billing engineer runs it: what it says, what it changes in both tiers, what it keeps."""

import json
import re
import time
from pathlib import Path

import msgspec
import psycopg
import pytest
from pydantic import SecretStr

from rating.loader import load_tariffs
from tests.commands import Start, Tollbook
from tests.databases import written_when_ended
from tests.factories import BUSY, DETAILS, START_MS, call_row
from tests.waiting import wait_until
from tollbook.archive._pyarrow import read_table
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.charge import Charge
from tollbook.model.record import Row
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.times import MS_PER_DAY

OLD = "prefix,per_min,increment,name\n49,0.06,1/1,Germany\n44,0.12,1/1,UK\n"
DEARER = "prefix,per_min,increment,name\n49,0.09,1/1,Germany\n44,0.12,1/1,UK\n33,0.30,1/1,France\n"


def deck(tollbook: Tollbook, tmp_path: Path, content: str, plan: str = "retail", currency: str = "EUR") -> None:
    path = tmp_path / "rates.csv"
    path.write_text(content)
    done = tollbook("rates", "import", str(path), "--plan", plan, "--currency", currency)
    assert done.returncode == 0, done.stderr


def call(
    name: str, *parts: tuple[str, int], account: str | None = "acme", start: int = START_MS, answered: bool = True
) -> Row:
    """A complete call whose parts are (number, seconds), outbound."""
    longest = max((seconds for _, seconds in parts), default=0)
    charges = [Charge(direction="outbound", number=number, seconds=seconds) for number, seconds in parts]
    return call_row(
        name, account, start, to_num=parts[0][0] if parts else "49", agent_id="ü\"\\'", parts=charges,
        **{"billsec": longest} if answered else BUSY,
    )  # fmt: skip


def put(connection: Connection, *rows: Row) -> None:
    """Write calls as the listener does, priced by the decks of this moment."""
    with connection.transaction():
        tariffs = load_tariffs(connection)
    Partitions().ensure(connection, call_days={row.start_ts // MS_PER_DAY for row in rows}, leg_days=())
    call_rows.upsert(connection, [(row, tariffs.price(row)) for row in rows])


def costs(connection: Connection) -> dict[str, tuple[int | None, int]]:
    return {
        name: (cost, revision)
        for name, cost, revision in connection.execute("SELECT call_id, cost_micros, revision FROM call_cdr")
    }


def archived_costs(database_url: str, tmp_path: Path) -> dict[str, int | None]:
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        rows = read_table(table, columns=("call_id", "cost_micros")).to_pylist()
    found = {row["call_id"]: row["cost_micros"] for row in rows}
    assert len(found) == len(rows), "a call stands in the archive twice"
    return found


def test_a_restored_database_is_priced_only_after_the_archive_was_attached(
    tollbook: Tollbook, database: Connection, tmp_path: Path
) -> None:
    """It may hold older rows than the archive, and what is priced there would replace the newer ones."""
    deck(tollbook, tmp_path, OLD)
    tollbook("account", "add", "acme", "--plan", "retail")
    put(database, call("de", ("4930123", 60)))
    deck(tollbook, tmp_path, DEARER)
    database.execute("UPDATE database_history SET restored_at = now(), restored_how = 'went back'")
    for options in ((), ("--dry-run",)):
        done = tollbook("rerate", "--account", "acme", *options)
        assert done.returncode == 78
        assert "went back: `tollbook archive attach`" in done.stderr
    assert costs(database) == {"de": (60_000, 1)}
    assert database.execute("SELECT count(*) FROM rerate_run").fetchone() == (0,)


def test_new_prices_replace_the_old_ones_which_are_kept(
    tollbook: Tollbook, database: Connection, database_url: str, tmp_path: Path
) -> None:
    """Dry run and run say the same; a run again changes nothing; the archive follows; the old price is kept."""
    deck(tollbook, tmp_path, OLD)
    tollbook("account", "add", "acme", "--plan", "retail")
    tollbook("account", "add", "other")
    put(
        database,
        call("de", ("4930123", 60)),
        call("two", ("4930123", 10), ("44207", 60)),
        call("uk", ("44207", 60)),
        call("fr", ("33142", 60)),
        call("busy", answered=False),
        call("theirs", ("4930123", 60), account="other"),
        call("nobody", ("4930123", 60), account=None),
    )
    assert costs(database)["de"] == (60_000, 1)
    tollbook("archive", "run", "--now")
    deck(tollbook, tmp_path, DEARER)
    said = [
        "now rated: 1; no longer rated: 0",
        "currency       calls              before               after          difference",
        "EUR                3            0.190000            0.525000            0.335000",
        "  account acme: 3 calls",
    ]
    before = costs(database)
    done = tollbook("rerate", "--plan", "retail", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "4 answered calls looked at, 3 would change", *said, "nothing was changed"
    ]  # fmt: skip
    assert costs(database) == before
    assert database.execute("SELECT count(*) FROM rerate_run").fetchone() == (0,)

    done = tollbook("rerate", "--account", "acme", "--reason", "Germany was wrong")
    assert done.stdout.splitlines() == ["4 answered calls looked at, 3 changed", *said]
    assert costs(database) == before | {"de": (90_000, 2), "two": (135_000, 2), "fr": (300_000, 2)}
    history = database.execute(
        "SELECT call_id, price_history.revision, account_id, cost_micros, currency, unrated, reason,"
        " finished_at IS NULL"
        " FROM price_history JOIN rerate_run USING (run_id) ORDER BY call_id"
    ).fetchall()
    why = "Germany was wrong"
    assert history == [
        ("de", 1, "acme", 60_000, "EUR", None, why, False),
        ("fr", 1, "acme", None, "EUR", "no rate for outbound 33142", why, False),
        ("two", 1, "acme", 130_000, "EUR", None, why, False),
    ]
    (rate,) = database.execute("SELECT parts -> 0 ->> 'rate' FROM call_cdr WHERE call_id = 'fr'").fetchone() or ()
    assert rate == "France"

    printed = tollbook("explain", "de").stdout
    assert re.search(
        r"^until 20\d\d-.* UTC: 0.060000 EUR, replaced by .*@.*: Germany was wrong$", printed, re.MULTILINE
    )
    (explained,) = json.loads(tollbook("explain", "de", "--json").stdout)["calls"]
    (former,) = explained["price"]["before"]
    assert {**former, "replaced_ts": 0} == {
        "account_id": "acme", "cost_micros": 60_000, "currency": "EUR", "unrated": None, "replaced_ts": 0,
        "cause": "rerate",
    }  # fmt: skip

    tollbook("archive", "run", "--now")
    assert archived_costs(database_url, tmp_path) == {
        "de": 90_000, "two": 135_000, "uk": 120_000, "fr": 300_000, "busy": 0, "theirs": None, "nobody": None
    }  # fmt: skip
    done = tollbook("rerate", "--account", "acme")
    assert done.stdout == "4 answered calls looked at, 0 changed\n"
    assert database.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)


def test_calls_without_a_price_get_one(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    """--unrated looks only at calls without a price; a changed reason is recorded although there is no price yet."""
    deck(tollbook, tmp_path, OLD)
    tollbook("account", "add", "acme", "--plan", "retail")
    tollbook("account", "add", "late")
    put(database, call("de", ("4930123", 60)), call("late", ("4930123", 60), account="late"), call("fr", ("33142", 6)))
    tollbook("account", "plan", "late", "retail", "--from", "2026-01-01")
    deck(tollbook, tmp_path, DEARER.replace("33,", "331,"))
    done = tollbook("rerate", "--unrated")
    assert done.stdout.splitlines()[:2] == ["2 answered calls looked at, 2 changed", "now rated: 2; no longer rated: 0"]
    assert costs(database) == {"de": (60_000, 1), "late": (90_000, 2), "fr": (30_000, 2)}


def test_two_currencies_are_never_added(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    deck(tollbook, tmp_path, OLD, "retail", "EUR")
    deck(tollbook, tmp_path, OLD, "export", "USD")
    tollbook("account", "add", "acme", "--plan", "retail")
    tollbook("account", "add", "yank", "--plan", "export")
    put(database, call("a", ("4930123", 60)), call("b", ("4930123", 60), account="yank"))
    deck(tollbook, tmp_path, DEARER, "retail", "EUR")
    deck(tollbook, tmp_path, DEARER, "export", "USD")
    lines = tollbook("rerate", "--since", "2026-01-01").stdout.splitlines()
    assert [line.split() for line in lines if line.startswith(("EUR", "USD"))] == [
        ["EUR", "1", "0.060000", "0.090000", "0.030000"],
        ["USD", "1", "0.060000", "0.090000", "0.030000"],
    ]


def test_a_span_of_time_is_kept_to(tollbook: Tollbook, database: Connection, tmp_path: Path) -> None:
    """--since is the first millisecond that counts, --until the first that does not."""
    deck(tollbook, tmp_path, OLD)
    tollbook("account", "add", "acme", "--plan", "retail")
    at = 1_790_035_200_000  # 2026-09-22T00:00:00Z
    day = MS_PER_DAY
    starts = {"before": at - 1, "first": at, "last": at + day - 1, "after": at + day}
    put(database, *(call(name, ("4930123", 60), start=start) for name, start in starts.items()))
    deck(tollbook, tmp_path, DEARER)
    tollbook("rerate", "--since", "2026-09-22", "--until", "2026-09-23T00:00:00Z")
    changed = {name for name, (cost, _) in costs(database).items() if cost == 90_000}
    assert changed == {"first", "last"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say which calls: --account, --plan, --since or --unrated"),
        (("--account", "nobody"), "there is no account 'nobody'"),
        (("--plan", "none"), "there is no rate plan 'none'"),
        (("--since", "yesterday"), "'yesterday' is not a time like 2026-12-01"),
    ],
)
def test_a_request_for_nothing_is_refused(tollbook: Tollbook, arguments: tuple[str, ...], message: str) -> None:
    done = tollbook("rerate", *arguments)
    assert done.returncode == 64
    assert message in done.stderr


def test_a_run_that_was_killed_is_run_again(
    tollbook: Tollbook, start: Start, database: Connection, database_url: str, tmp_path: Path
) -> None:
    """Whatever it had done stands; the next run does the rest; each call has its old price in the history once."""
    deck(tollbook, tmp_path, OLD)
    tollbook("account", "add", "acme", "--plan", "retail")
    number = 12_000
    for begin in range(0, number, 3_000):
        put(database, *(call(f"c{n}", ("4930123", 60), start=START_MS + n) for n in range(begin, begin + 3_000)))
    deck(tollbook, tmp_path, DEARER)
    rerate = start("rerate", "--account", "acme")
    wait_until(lambda: _history(database_url), 60, every_s=0.001)
    rerate.kill()
    done_before = _history(database_url)
    assert 0 < done_before < number, "the kill came too early or too late to show anything"
    said = tollbook("rerate", "--account", "acme").stdout.splitlines()[0]
    assert said == f"{number} answered calls looked at, {number - done_before} changed"
    assert set(costs(database).values()) == {(90_000, 2)}
    assert _history(database_url) == number


def _history(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM price_history").fetchone()
    assert found
    return found[0]


def test_details_stay_and_the_destination_follows_the_price(
    tollbook: Tollbook, database: Connection, database_url: str, tmp_path: Path
) -> None:
    """Of a call in PostgreSQL and of one that only the archive has: the rate's name alone changes with the price."""
    deck(tollbook, tmp_path, OLD.replace("Germany", "DE"))
    tollbook("account", "add", "acme", "--plan", "retail")
    in_window = time.time_ns() // 1_000_000 - MS_PER_DAY
    put(
        database,
        *(
            msgspec.structs.replace(call(name, ("4930123", 60), start=start), details=DETAILS, trunk_root=True)
            for name, start in (("old", START_MS), ("new", in_window))
        ),
    )
    before = details(database)
    assert [row[:3] for row in before] == [("old", "DE", "callee"), ("new", "DE", "callee")]
    tollbook("archive", "run", "--now")
    written_when_ended(database)
    assert tollbook("prune").returncode == 0
    assert details(database) == before[1:]
    deck(tollbook, tmp_path, DEARER)
    assert "2 changed" in tollbook("rerate", "--account", "acme").stdout
    assert details(database) == [(row[0], "Germany", *row[2:]) for row in before]
    tollbook("archive", "run", "--now")
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        rows = read_table(table).sort_by("start_ts").to_pylist()
    assert [(row["call_id"], row["destination"], json.loads(row["vars"])) for row in rows] == [
        (name, "Germany", DETAILS.vars) for name in ("old", "new")
    ]


def details(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT call_id, destination, hung_up_by, pdd_ms, ring_ms, wait_ms, talk_ms, hold_ms, rx_mos, codec,"
        " sip_call_id, source_ip, gateway, sip_status, recordings, voicemail, vars, imported, trunk_root"
        " FROM call_cdr ORDER BY start_ts"
    ).fetchall()
