"""What kills processes at random, and what then must be found."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from tests.commands import Running, Start
from tests.waiting import wait_until
from tollbook.model.record import COLUMNS, Record
from tollbook.simulator.thread import SwitchThread

SECONDS = float(os.environ.get("TOLLBOOK_CHAOS_S", "60"))
SEED = int(os.environ.get("TOLLBOOK_CHAOS_SEED", "20261129"))

# Prune keeps fewer days each time, down to these: each old day is pruned while calls of the next are still made.
MOST_DAYS = 22
FEWEST_DAYS = 2

# A command that is not killed may wait two minutes for the archive's lock.
PATIENCE_S = 300.0
FINE = {0, 75}  # 75: another command held the archive's lock for too long
DATA_DIFFERS = 65  # prune, when the archive has not yet what the day holds
DECKS = (("0.0137", "0.001", "1/1"), ("0.0291", "0", "6/6"), ("0.0453", "0.02", "60/30"))
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
