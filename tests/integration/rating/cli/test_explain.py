"""`tollbook explain` as installed, on a real database: readable, complete, and safe on a terminal."""

import functools
import json
import re
import unicodedata
from collections.abc import Callable

import pytest

from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.commands import Tollbook
from tests.recorded import recorded_legs, recorded_rows
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, leg_of
from tollbook.model.record import COLUMNS
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.store.tariffs.deck_import import replace_rates

DECK = "prefix,name,per_min,connection_fee,increment\n1,US and Canada,0.012,0,6/6\n80,Premium carrier,0.05,0.01,1/1\n"
T0 = 1_790_000_000_000_000
HOSTILE = "\x1b]0;owned\x07[red]x[/red]\r\n\x9b2J\u202eevil\u2028<b>\x7f"


def row_of(name: str) -> dict[str, object]:
    return recorded_rows(name)[0]


@pytest.fixture
def write(database: Connection) -> Callable[[list[Leg]], None]:
    """Write legs as the listener does, into a database with an account and its deck."""
    replace_rates(
        database, "retail", "USD", (row.values() for row in parse_deck([("", DECK.splitlines(keepends=True))]))
    )
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
    assert [line.split()[0] for line in lines if line.split() and line.split()[0] in COLUMNS] == list(COLUMNS)
    assert re.search(
        r"^1 ← sofia/internal/1000@.*\n.*\n.*\n└── 2 → sofia/external/.*\n.*\n.*\n    └── 3 → ", done.stdout, re.M
    )
    assert "child of 2 by originator · off-net by sip_gateway_name (carrier)" in done.stdout
    assert lines[-1] == "0.001200 + 0.013334 = 0.014534 USD"


def test_json_is_what_the_api_answers(write: Callable[[list[Leg]], None], explain: Tollbook) -> None:
    """The same members; ASCII alone, because some terminals obey characters beyond it."""
    write(recorded_legs("recover"))
    done = explain(str(row_of("recover")["call_id"]), "--json")
    assert done.stdout.isascii()
    body = json.loads(done.stdout)
    (call,) = body["calls"]
    assert list(call) == [*COLUMNS, "switch", "revision", "estimated", "note", "legs", "rules", "price"]
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
