"""`tollbook explain` as installed, on a real database: readable, complete, and safe on a terminal."""

import functools
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from maintenance.prune.run import prune_days
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.commands import Tollbook
from tests.databases import store, written_when_ended
from tests.factories import call
from tests.recorded import recorded_legs, recorded_rows
from tests.recorded_details import legs_heard, recorded
from tollbook.config import Settings
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, leg_of
from tollbook.model.record import COLUMNS
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.times import MS_PER_DAY

DECK = "prefix,name,per_min,connection_fee,increment\n1,US and Canada,0.012,0,6/6\n80,Premium carrier,0.05,0.01,1/1\n"
T0 = 1_790_000_000_000_000
HOSTILE = "\x1b]0;owned\x07[red]x[/red]\r\n\x9b2J\u202eevil\u2028<b>\x7f"


def row_of(name: str) -> dict[str, object]:
    return recorded_rows(name)[0]


@pytest.fixture
def write(database: Connection) -> Callable[[list[Leg]], None]:
    """Write legs as the listener does, into a database with an account and its deck."""
    replace_rates(database, "retail", "USD", parse_deck([("", DECK.splitlines(keepends=True))]))
    tariffs.add_account(database, tariffs.Account(account_id="acct_alpha", name="Alpha", plan_id="retail"))
    database.commit()

    def listen(legs: list[Leg]) -> None:
        price = load_tariffs(database).price
        database.commit()
        write_batch(database, legs, FoldSettings(), price, Partitions())

    return listen


@pytest.fixture
def explain(tollbook: Tollbook) -> Tollbook:
    """Run `tollbook explain ARGUMENTS`."""
    return functools.partial(tollbook, "explain")


def test_a_call_is_explained_for_people(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """Its legs as a tree, every column with its rule, the price with its arithmetic, within 100 columns."""
    name = "transfer_outbound_to_third_party"
    write(recorded_legs(name))
    done = explain(str(row_of(name)["call_id"]))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "outbound call, 1000 → 15551230042"
    assert max(map(len, lines)) <= 100
    explained = [*COLUMNS, *DETAIL_COLUMNS]
    assert [line.split(" ")[0] for line in lines if line.split(" ")[0] in explained] == explained
    assert re.search(
        r"^1 ← sofia/internal/1000@.*\n(.+\n)+?└── 2 → sofia/external/.*\n(.+\n)+?    └── 3 → ", done.stdout, re.M
    )
    assert "child of 2 by originator · off-net by sip_gateway_name (carrier)" in done.stdout
    assert lines[-1] == "0.001200 + 0.013334 = 0.014534 USD"


def test_a_call_of_a_code_that_is_no_account_names_what_adds_it(database: Connection, explain: Tollbook) -> None:
    """As a shell takes it: the code is whatever the switch was told."""
    store(database, call("c", "new'one", cost_micros=None))
    database.commit()
    said = " ".join(explain("c").stdout.split())
    assert said.endswith(
        """unrated: no such account what helps: `tollbook account add 'new'"'"'one' --plan PLAN`, then"""
        " `tollbook rerate --unrated`; or mend accountcode on the switch"
    )


def test_the_details_are_explained_with_their_legs(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """Each leg has its own figures, and what finds it in a SIP trace; each detail its rule."""
    write(list(legs_heard("pdd_failover")))
    done = explain(str(recorded("pdd_failover").rows[0]["call_id"]))
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\s+", " ", done.stdout.replace("│", " "))
    for said in (
        "ended by recv_refuse · SIP 503 Call-ID ceeb4074-6601-1240-669e-dbbfd35823c3 · with 127.0.0.3",
        "rang 19:07:35.793 · after 1019 ms · ended by recv_bye PCMU · received: MOS 4.5, 300 packets, 2 skipped",
        "hung_up_by callee sip_hangup_disposition of leg 3 says recv_bye, and it ended with leg 2 (root)",
        "pdd_ms 2019 from the creation of leg 2 (root) to the first sign of life of leg 3, at 19:07:35.793",
        "gateway carrier2 sip_gateway_name of leg 3, the first trunk leg that was answered",
        "sip_status - none: a trunk leg was answered",
        "recordings - nothing says: no RECORD_STOP of a leg was heard",
        "voicemail no no vm::maintenance says leave-message",
    ):
        assert said in text, said


def test_json_is_what_the_api_answers(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """The same members; ASCII alone, because some terminals obey characters beyond it."""
    write(recorded_legs("recover"))
    done = explain(str(row_of("recover")["call_id"]), "--json")
    assert done.stdout.isascii()
    body = json.loads(done.stdout)
    (call,) = body["calls"]
    assert list(call) == [
        *COLUMNS,
        "switch",
        "revision",
        "estimated",
        *DETAIL_COLUMNS,
        "note",
        "legs",
        "rules",
        "price",
    ]
    assert [len(leg["lives"]) for leg in call["legs"]] == [2, 2]
    wanted = row_of("recover")
    assert {column: call[column] for column in COLUMNS if column != "cost_micros"} == {
        column: wanted[column] for column in COLUMNS if column != "cost_micros"
    }


def hostile(at_us: int = T0, call_id: str = f"id{HOSTILE}") -> list[Leg]:
    """A call in which the switch repeats what a caller sent, wherever it can."""
    names = ("channel", "caller", "dialed", "account", "gateway", "cc_queue", "cause", "originate_disposition")
    create = SwitchEvent(
        name="CHANNEL_CREATE", uid=call_id, created_us=at_us, at_us=at_us, **dict.fromkeys(names, HOSTILE)
    )  # fmt: skip
    orphan = SwitchEvent(
        name="CHANNEL_CREATE", uid=f"c{HOSTILE}", created_us=at_us, at_us=at_us, channel_direction="outbound",
        originator=call_id, call_direction=HOSTILE, channel=HOSTILE,
    )  # fmt: skip
    ends = [
        SwitchEvent(**{field: getattr(event, field) for field in event.__struct_fields__}
              | {"name": "CHANNEL_HANGUP_COMPLETE", "hangup_us": at_us + 9, "answered_us": at_us + 1})
        for event in (create, orphan)
    ]  # fmt: skip
    return [leg for event in (create, orphan, *ends) if (leg := leg_of(event, HOSTILE))]


def test_nothing_a_caller_sends_is_obeyed(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """No markup, escape sequence, line break or change of direction; nor in errors."""
    write(hostile())
    for arguments in ((f"id{HOSTILE}",), (f"id{HOSTILE}", "--json")):
        done = explain(*arguments)
        assert done.returncode == 0
        letters = set(done.stdout) - {"\n"}
        odd = {letter for letter in letters if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp")}
        assert odd == set()
        assert "[red]x[/red]" in done.stdout
    unknown = explain(f"no{HOSTILE}")
    assert unknown.returncode == 64
    assert unknown.stderr.count("\n") == 1
    assert unknown.stderr.isprintable() or unknown.stderr[:-1].isprintable()


def test_an_unknown_id_is_one_clear_line(explain: Tollbook) -> None:
    done = explain("nothing")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "tollbook: no call here has the id nothing\n"


def test_at_picks_a_call_of_an_id_that_was_used_again(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """The newest that started by then: as ISO 8601, to the second or with milliseconds, or in epoch ms."""
    write(recorded_legs("same_call_id_twice"))
    both = explain("evil-1@x").stdout
    assert both.index("12:29:30.195 UTC") < both.index("12:29:25.375 UTC")
    for at in ("2026-11-23T12:29:25", "2026-11-23T12:29:29.999", "2026-11-23T13:29:25.375+01:00", "1795436965375"):
        text = explain("evil-1@x", "--at", at).stdout
        assert "started 2026-11-23 12:29:25.375 UTC" in text, at
        assert "12:29:30.195" not in text
    assert "started 2026-11-23 12:29:30.195 UTC" in explain("evil-1@x", "--at", "2027-01-01").stdout
    early = explain("evil-1@x", "--at", "2026-11-23T12:29:24")
    assert (early.returncode, early.stdout) == (64, "")
    wrong = explain("evil-1@x", "--at", "yesterday")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (64, 1)


def test_pruned_legs_are_said_to_be(
    write: Callable[[list[Leg]], None], database: Connection, explain: Tollbook
) -> None:
    write(recorded_legs("outbound_answered"))
    database.execute("DELETE FROM call_leg")
    database.commit()
    done = explain(str(row_of("outbound_answered")["call_id"]))
    assert done.returncode == 0
    assert "Note: the legs of this call are no longer kept" in done.stdout
    assert "\nLegs" not in done.stdout


@pytest.mark.parametrize("indexed", [False, True])
def test_a_call_of_the_archive(
    write: Callable[[list[Leg]], None],
    database: Connection,
    database_url: str,
    tmp_path: Path,
    explain: Tollbook,
    indexed: bool,
) -> None:
    """Its columns, each with one word, and its price; of both calls of an id, or the one by --at or of --account."""
    write(recorded_legs("outbound_answered"))
    row = row_of("outbound_answered")
    call_id, start_ts = str(row["call_id"]), int(str(row["start_ts"]))
    in_window = explain(call_id).stdout
    price = in_window[in_window.index("\nPrice") :]
    database.autocommit = True
    other = call(call_id, "other", start_ts + 3_600_000)
    store(database, other, call("later", "other", start_ts + 8 * MS_PER_DAY))
    written_when_ended(database)
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    archive_calls(settings, now=True)
    prune_days(settings, today=start_ts // MS_PER_DAY + 38)
    if indexed:
        compact_archive(settings)
    done = explain(call_id, "--account", "acct_alpha")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Note: the legs of this call are no longer kept" in done.stdout
    assert "\nLegs" not in done.stdout
    assert re.search(r"^to_num +15551230001 +recorded *$", done.stdout, re.MULTILINE), done.stdout
    assert done.stdout[done.stdout.index("\nPrice") :].splitlines()[-1] == price.splitlines()[-1]
    assert json.loads(explain(call_id, "--account", "acct_alpha", "--json").stdout)["calls"][0]["start_ts"] == start_ts
    both = json.loads(explain(call_id, "--json").stdout)["calls"]
    assert [one["start_ts"] for one in both] == [other[0].start_ts, start_ts]
    (one,) = json.loads(explain(call_id, "--at", str(start_ts), "--json").stdout)["calls"]
    assert one["start_ts"] == start_ts
    assert explain(call_id, "--at", str(start_ts - 1)).returncode == 64
    nobody = explain(call_id, "--account", "nobody")
    assert (nobody.returncode, nobody.stderr) == (
        64,
        f"tollbook: no call of account nobody here has the id {call_id}\n",
    )


def test_an_archive_that_is_away_is_no_unknown_id(
    write: Callable[[list[Leg]], None], database: Connection, database_url: str, tmp_path: Path, explain: Tollbook
) -> None:
    """The command says so; a call of the window is explained all the same."""
    write(recorded_legs("outbound_answered"))
    database.autocommit = True
    start_ts = int(str(row_of("outbound_answered")["start_ts"]))
    store(database, call("later", "other", start_ts + 8 * MS_PER_DAY))
    written_when_ended(database)
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    archive_calls(settings, now=True)
    prune_days(settings, today=start_ts // MS_PER_DAY + 38)
    for path in (tmp_path / "data").rglob("*.parquet"):
        path.unlink()
    lost = explain(str(row_of("outbound_answered")["call_id"]))
    assert (lost.returncode, lost.stdout) == (74, "")
    assert "tollbook archive verify" in lost.stderr
    assert explain("later").returncode == 0
