"""Every process is killed at random, again and again: in the end each call is there once, right and priced.

TOLLBOOK_CHAOS_S is how many seconds calls are made (60), TOLLBOOK_CHAOS_SEED repeats the dice of a run; what the
processes were doing when they were killed, no seed repeats.
"""

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rating.loader import load_tariffs
from tests.acceptance.chaos import (
    DECKS,
    FEWEST_DAYS,
    LISTENERS,
    PATIENCE_S,
    SECONDS,
    SEED,
    SHOWN,
    Chaos,
    Key,
    by_key,
    deck,
    differences,
)
from tests.acceptance.played import Calls
from tests.commands import Start
from tests.factories import FOR_EVER_MS
from tests.paths import CALLS
from tests.sums import assert_sums_whole
from tests.waiting import wait_until
from tollbook.archive import pages as archive_pages
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.charge import Charge
from tollbook.model.selection import Selection
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.spool_files import segments, spool_folders
from tollbook.store.calls.pages import read_page
from tollbook.store.database import connect
from tollbook.store.days.window import read_window

# Every recording whose legs all have a CDR file: what nobody heard can come from these alone.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())

# Of 100 calls that begin in a second, so many began on an earlier day, for prune and for late calls.
OLD_CALLS_PER_S = 20.0
NEW_CALLS_PER_S = 80.0
SPEED = 4.0

ACCOUNTS = ("acct_alpha", "acct_beta", "acct_gamma")


@pytest.mark.soak
def test_everything_is_killed_at_random(start: Start, database_url: str, tmp_path: Path) -> None:
    """Two listeners, recover, rerate, prune, archive and compact, killed with SIGKILL under 100 calls a second."""
    cdrs = tmp_path / "json_cdr"
    cdrs.mkdir()
    began = time.monotonic()
    with SwitchThread(json_cdr_dir=cdrs, heartbeat_s=1.0) as switch:
        chaos = Chaos(start, switch, database_url)
        chaos.finish("rates", "import", deck(tmp_path, 0), "--plan", "retail", "--currency", "EUR")
        for account in ACCOUNTS:
            chaos.finish("account", "add", account, "--plan", "retail")

        def dice(name: str) -> random.Random:
            return random.Random(f"{SEED} {name}")

        def listening(name: str) -> threading.Thread:
            mine = dice(name)  # some do not get beyond their start
            return chaos.victim(
                name, lambda: -mine.uniform(0, 3) if mine.random() < 0.2 else mine.uniform(0, 15), lambda: 0, "listen"
            )

        def working(name: str, *arguments: str) -> threading.Thread:
            mine = dice(name)  # most are killed at their work; some before it, and the others may finish
            lives = (lambda: -mine.uniform(0, 3), lambda: mine.uniform(0, 4), lambda: PATIENCE_S)
            return chaos.victim(
                name,
                lambda: mine.choices(lives, (1, 6, 3))[0](),
                lambda: mine.uniform(0.2, 3),
                *arguments,
            )

        def change_rates() -> None:
            number = 0
            while not chaos.over.wait(5):
                number = (number + 1) % len(DECKS)
                chaos.finish("rates", "import", deck(tmp_path, number), "--plan", "retail")

        calls = Calls(switch, [load(CALLS / name) for name in NAMES])
        old = dice("days")

        def an_old_day() -> int:
            # At least a day from today, and not before the day that was pruned last.
            days = old.randint(FEWEST_DAYS, chaos.retention_days + 1)
            return time.time_ns() // 1000 - days * 86_400_000_000

        threads = [*map(listening, LISTENERS)]
        for thread in threads:
            thread.start()
        switch.wait_for_subscriber(60)
        playing = [
            calls.play(int(NEW_CALLS_PER_S * SECONDS), NEW_CALLS_PER_S, SPEED),
            calls.play(int(OLD_CALLS_PER_S * SECONDS), OLD_CALLS_PER_S, SPEED, clock_us=an_old_day),
        ]
        commands = [
            working("recover", "recover", str(cdrs)),
            working("rerate", "rerate", "--since", "1970-01-01"),
            working("prune", "prune"),
            working("archive", "archive", "run", "--now"),
            working("compact", "archive", "compact", "--remove-orphans"),
            threading.Thread(target=change_rates, name="rates", daemon=True),
        ]
        for thread in commands:
            thread.start()
        for played in playing:
            played.result(SECONDS * 5 + 60)
        chaos.over.set()
        for thread in (*threads, *commands):
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), thread.name
        kills = ", ".join(f"{how}: {count}" for how, count in sorted(chaos.ended.items()))
        print(f"seed {SEED}, {SECONDS:.0f} s of calls, {time.monotonic() - began:.0f} s in all: {kills}")  # noqa: T201
        assert not chaos.failures, "\n".join(chaos.failures)

        last = [chaos.begin("listen"), chaos.begin("listen")]
        for listener in last:
            listener.wait_for("listening", 60)
        spools = spool_folders(tmp_path / "data")
        wait_until(lambda: not any(map(segments, spools)), 120, what=lambda: f"for {last[0].output}")
        for listener in last:
            assert listener.stop() == 0, listener.output
    chaos.retention_days = FEWEST_DAYS
    chaos.finish("recover", str(cdrs))
    chaos.finish("rates", "import", deck(tmp_path, 2), "--plan", "retail")
    chaos.finish("rerate", "--since", "1970-01-01")
    for arguments in (("archive", "run", "--now"), ("prune",), ("archive", "run", "--now"), ("archive", "compact")):
        chaos.finish(*arguments)

    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
    everything = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)
    with connect(database_url, name="test", autocommit=True) as connection:
        hot = by_key(read_page(connection, everything, SHOWN, 1_000_000), "PostgreSQL")
        assert connection.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)
        window_start = read_window(connection).start_ts
        tariffs = load_tariffs(connection)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        archived = by_key(archive_pages.read_page(table, everything, 1_000_000, columns=SHOWN), "the archive")
    wanted: dict[Key, dict[str, Any]] = {}
    for key, row in calls.rows.items():
        charges = [
            Charge(direction=direction, number=number, seconds=seconds) for direction, number, seconds in row["parts"]
        ]
        price = tariffs.price_charges(row["account_id"], row["start_ts"], bool(row["answered"]), charges)
        wanted[key] = {**row, "cost_micros": price.cost_micros, "estimated": False}
    report = (
        f"{len(wanted)} calls in {time.monotonic() - began:.0f} s; {len(hot)} in PostgreSQL,"
        f" {sum(start_ts < window_start for _, start_ts in hot)} of them late, {len(archived)} in the archive,"
        f" {sum(start_ts < window_start for _, start_ts in wanted)} of pruned days;"
        f" {sum(1 for _ in (tmp_path / 'data' / 'dead-letters').glob('*'))} dead letters,"
        f" {sum(1 for _ in (cdrs / 'late').glob('*'))} CDR files late"
    )
    print(report)  # noqa: T201 - shows with -rP what the run was
    wrong = [*differences(hot, wanted), *differences(archived, wanted)]
    wrong += [f"{key} is missing in the archive" for key in wanted.keys() - archived.keys()]
    young = {key for key in wanted if key[1] >= window_start}
    wrong += [f"{key} is missing in PostgreSQL" for key in young - hot.keys()]
    assert not wrong, f"seed {SEED}: {len(wrong)} differences, {report}\n" + "\n".join(wrong[:20])
    assert sum(row["cost_micros"] or 0 for row in wanted.values()) > 0
    for account in (*ACCOUNTS, None):
        sums = [
            sum(row["cost_micros"] or 0 for row in rows.values() if row["account_id"] == account)
            for rows in (archived, wanted)
        ]
        assert sums[0] == sums[1], f"{account}: {sums}"
    assert_sums_whole(settings)
    assert all(
        chaos.ended[f"{name} killed"]
        for name in ("listener 1", "listener 2", "recover", "rerate", "prune", "archive", "compact")
    )
