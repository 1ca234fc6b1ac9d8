"""Every process is killed at random, again and again: in the end each call is there once, right and priced.

TOLLBOOK_CHAOS_S is how many seconds calls are made (60), TOLLBOOK_CHAOS_SEED repeats the dice of a run; what the
processes were doing when they were killed, no seed repeats.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from rating.loader import load_tariffs
from tests.acceptance.played import Calls
from tests.commands import Running, Start
from tests.factories import FOR_EVER_MS
from tests.paths import CALLS
from tests.waiting import wait_until
from tollbook.archive import pages as archive_pages
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.charge import Charge
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.spool_files import segments, spool_folders
from tollbook.store.calls.pages import read_page
from tollbook.store.database import connect
from tollbook.store.days.window import read_window

SECONDS = float(os.environ.get("TOLLBOOK_CHAOS_S", "60"))
SEED = int(os.environ.get("TOLLBOOK_CHAOS_SEED", "20261129"))

# Every recording whose legs all have a CDR file: what nobody heard can come from these alone.
NAMES = sorted(folder.name for folder in CALLS.iterdir() if (folder / "json_cdr").is_dir())

# Of 100 calls that begin in a second, so many began on an earlier day, for prune and for late calls.
OLD_CALLS_PER_S = 20.0
NEW_CALLS_PER_S = 80.0
SPEED = 4.0

# Prune keeps fewer days each time, down to these: each old day is pruned while calls of the next are still made.
MOST_DAYS, FEWEST_DAYS = 22, 2

# A command that is not killed may wait two minutes for the archive's lock.
PATIENCE_S = 300.0
FINE = {0, 75}  # 75: another command held the archive's lock for too long
DATA_DIFFERS = 65  # prune, when the archive has not yet what the day holds

DECKS = (("0.0137", "0.001", "1/1"), ("0.0291", "0", "6/6"), ("0.0453", "0.02", "60/30"))
ACCOUNTS = ("acct_alpha", "acct_beta", "acct_gamma")

LISTENERS = ("listener 1", "listener 2")

SHOWN = (*COLUMNS, "switch", "parts", "estimated")

Key = tuple[str, int]


class Chaos:
    """Starts what is killed, counts how each process ended, and says when to stop."""

    def __init__(self, start: Start, switch: SwitchThread, database_url: str) -> None:
        self._start, self._switch, self._database_url = start, switch, database_url
        self._starting = threading.Lock()
        self.over = threading.Event()
        self.ended: Counter[str] = Counter()
        self.failures: list[str] = []
        self.recoveries = 0
        self.retention_days = MOST_DAYS
        self._pruned_after = 0

    def begin(self, *arguments: str) -> Running:
        """Start a command; threads take turns."""
        with self._starting:
            return self._start(*arguments, esl=self._switch.url, retention_days=str(self.retention_days))

    def finish(self, *arguments: str) -> None:
        """Run a command to its end, which must be 0."""
        running = self.begin(*arguments)
        assert running.process.wait(PATIENCE_S) == 0, running.output

    def next_retention(self) -> None:
        """Keep one day less. Legs go two days after their calls, which is time enough for a recovery: here too."""
        if self.recoveries > self._pruned_after and self.retention_days > FEWEST_DAYS:
            self._pruned_after = self.recoveries
            self.retention_days -= 1

    def victim(
        self, name: str, life_s: Callable[[], float], pause_s: Callable[[], float], *arguments: str
    ) -> threading.Thread:
        """Return a thread that starts a command again and again until the end, and kills it when its life is over.

        A life that is negative ends before the command does anything; any other begins when it is at work: on a busy
        machine few would come so far.
        """

        def run() -> None:
            with psycopg.connect(self._database_url, autocommit=True) as watcher:
                while not self.over.is_set():
                    if name == "prune":
                        self.next_retention()
                    running, life = self.begin(*arguments), life_s()
                    if life < 0:
                        self.over.wait(-life)
                    else:
                        self._wait_until_at_work(name, running, watcher)
                        self._wait(running, life)
                    self._end(name, running)
                    self.over.wait(pause_s())

        return threading.Thread(target=run, name=name, daemon=True)

    def _wait_until_at_work(self, name: str, running: Running, watcher: psycopg.Connection[Any]) -> None:
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
            " AND backend_start > %s"
        )
        began = watcher.execute("SELECT now()").fetchone()
        assert began is not None
        session = (f"tollbook {name}", began[0])
        wait_until(
            lambda: (
                self.over.is_set()
                or running.process.poll() is not None
                or ("listening" in running.output if name in LISTENERS else watcher.execute(query, session).fetchone())
            ),
            PATIENCE_S,
            every_s=0.05,
        )

    def _wait(self, running: Running, life_s: float) -> None:
        until = time.monotonic() + life_s
        while running.process.poll() is None and time.monotonic() < until and not self.over.is_set():
            time.sleep(0.02)  # any moment will do: that is what is tested

    def _end(self, name: str, running: Running) -> None:
        code = running.stop(signal.SIGKILL)
        if code == -signal.SIGKILL:
            self.ended[f"{name} killed"] += 1
            return
        self.ended[f"{name} ended with {code}"] += 1
        if name == "recover" and code == 0 and "recovered" in running.output:
            self.recoveries += 1
        allowed = FINE | {DATA_DIFFERS} if name == "prune" else FINE
        if code not in allowed or name in LISTENERS:
            self.failures.append(f"{name} ended with {code}:\n{running.output[-3000:]}")


def deck(folder: Path, number: int) -> str:
    """Write a deck of rates for every number, and return its path."""
    per_min, fee, increment = DECKS[number]
    path = folder / f"deck-{number}.csv"
    lines = [f"{direction},,{per_min},{fee},{increment}\n" for direction in ("outbound", "inbound")]
    path.write_text("direction,prefix,per_min,connection_fee,increment\n" + "".join(lines))
    return str(path)


def shown(record: Record) -> dict[str, Any]:
    """Return a row of either tier in the form of the recordings' rows, with its price."""
    row: dict[str, Any] = dict(zip(SHOWN, record, strict=True))
    parts = row["parts"]
    parts = json.loads(parts) if isinstance(parts, str) else parts
    return row | {"parts": [[part["direction"], part["number"], part["seconds"]] for part in parts or []]}


def by_key(records: Iterable[Record], tier: str) -> dict[Key, dict[str, Any]]:
    """Return the rows of a tier; none of its calls may be there twice."""
    rows: dict[Key, dict[str, Any]] = {}
    for record in records:
        row = shown(record)
        key = (row["call_id"], row["start_ts"])
        assert key not in rows, f"{key} is twice in {tier}"
        rows[key] = row
    return rows


def differences(found: dict[Key, dict[str, Any]], wanted: dict[Key, dict[str, Any]]) -> list[str]:
    """Return what is wrong with the rows of a tier, call by call."""
    wrong: list[str] = []
    for key, row in found.items():
        if key not in wanted:
            wrong.append(f"{key}: nobody made this call: {row}")
            continue
        columns = {name: (row[name], value) for name, value in wanted[key].items() if row[name] != value}
        if columns:
            wrong.append(f"{key}: (found, wanted): {columns}")
    return wrong


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
    assert all(
        chaos.ended[f"{name} killed"]
        for name in ("listener 1", "listener 2", "recover", "rerate", "prune", "archive", "compact")
    )
