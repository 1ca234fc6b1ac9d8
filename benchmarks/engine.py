"""Sums over archived calls: one account's history of a year, asked as `/v1/stats` asks what no kept sum answers.

`calls` in twelve compacted months. Each question is asked in a process of its own, by which its memory is measured: the
highest resident set, and that of a process that has opened the archive and asked nothing. The same is asked of Sail, a
server that speaks Spark Connect, which is started for it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

from pydantic import SecretStr
from pysail.spark import SparkConnectServer

from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import Figure, seconds
from benchmarks.processes import highest_mb
from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from tollbook.archive.catalog import open_catalog
from tollbook.archive.engine.question import Question
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_sums import Periods
from tollbook.model.filters import Filters
from tollbook.model.selection import Selection
from tollbook.store.database import connect
from tollbook.times import MS_PER_DAY

_MONTHS = 12
_SINCE = 1_735_689_600_000  # 2025-01-01
_UNTIL = _SINCE + _MONTHS * 30 * MS_PER_DAY
_DAYS = Periods(starts=list(range(_SINCE, _UNTIL, MS_PER_DAY)))
_WHOLE = Selection(accounts=EveryAccount(), since=0, until=_UNTIL)
# One call of a hundred has such a caller.
_CALLERS = "of callers +4930123412…"
_CALLER = Selection(accounts=EveryAccount(), since=0, until=_UNTIL, filters=Filters(number="+4930123412"))
_QUESTIONS = {
    "nothing": None,
    _CALLERS: Question(selection=_CALLER, groups=("disposition",)),
    "by prefix of 7 digits": Question(selection=_WHOLE, groups=("prefix",), prefix_digits=7),
    "by day": Question(selection=_WHOLE, groups=(_DAYS,)),
}


def run(*, calls: int = 1_000_000) -> Iterator[Figure]:
    """Yield how long each question takes, and the memory."""
    with database() as settings:
        month = calls // _MONTHS
        _archive(settings, month)
        callers = sum(number % 1000 // 10 == 12 for number in range(month))
        wanted = dict.fromkeys(_QUESTIONS, _MONTHS * month) | {"nothing": 0, _CALLERS: _MONTHS * callers}
        sail = SparkConnectServer("127.0.0.1", 0)
        sail.start()
        engines = {"DuckDB": None, "Sail": f"sc://127.0.0.1:{sail.listening_address[1]}"}
        for engine, url in engines.items():
            for name in _QUESTIONS:
                counted, taken_s, memory_mb = _asked(settings, name, url)
                assert counted == wanted[name], (name, counted)
                if name != "nothing":
                    yield Figure(what=f"{engine}, {name}", value=taken_s, unit="s")
                if url is None:
                    yield Figure(what=f"{engine}, {name}, highest resident set", value=memory_mb, unit="MB")
        sail.stop()


def _archive(settings: Settings, month: int) -> None:
    """Archive so many calls in each month, as compaction leaves them: in one file."""
    with (
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        for number in range(_MONTHS):
            batch = rows(month, 1, since_ms=_SINCE + number * 30 * MS_PER_DAY, days=28)
            commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batch, corrections=()))


def _asked(settings: Settings, name: str, engine: str | None) -> tuple[int, float, float]:
    """Ask a question in a new process; return how many calls it found, its seconds, and the process's memory in MB."""
    arguments = json.dumps([settings.require_database_url(), str(settings.data_dir), name, engine])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.engine", arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    counted, taken_s = json.loads(process.stdout.readline())
    memory_mb = highest_mb(process.pid)
    process.stdin.close()
    process.wait(60)
    process.stdout.close()
    return counted, taken_s, memory_mb


def _ask(url: str, folder: str, name: str, engine: str | None) -> None:
    """Ask twice, as a process that serves has been asked before, print the second's figures, and stay until told."""
    settings = Settings(
        database_url=SecretStr(url), data_dir=folder, engine=SecretStr(engine) if engine else None, engine_timeout=300
    )
    archive = Archive(settings, lambda: True)
    question, counted = _QUESTIONS[name], [0]

    def ask() -> None:
        if question is None:
            archive.read_page(_WHOLE, 1, frozenset())
        else:
            counted[0] = sum(sums.calls for sums in archive.sum_calls(question, frozenset()).values())

    ask()
    taken_s = seconds(ask)
    print(json.dumps([counted[0], taken_s]), flush=True)
    sys.stdin.read()
    archive.close()


if __name__ == "__main__":
    _ask(*json.loads(sys.argv[1]))
