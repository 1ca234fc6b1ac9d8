"""Every program works through PgBouncer, in either mode, and leaves nothing in the sessions that it shares."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.acceptance.played import RECORDINGS as SOME
from tests.acceptance.played import Calls, wrong_rows
from tests.api_server import serving
from tests.archiving import archived, stored
from tests.commands import Start, Tollbook
from tests.databases import store, written_when_ended
from tests.factories import call
from tests.paths import CALLS as RECORDED
from tests.pgbouncer import Mode, left_in_sessions, pgbouncer
from tests.waiting import wait_until
from tollbook.config import Settings
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import Connection
from tollbook.times import SECONDS_PER_DAY

MODES = pytest.mark.parametrize("mode", ["session", "transaction"])
LIMITS = (
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "default_transaction_read_only",
    "plan_cache_mode", "role",
)  # fmt: skip
CALLS = 200
OLD_DAYS = 20  # kept by default, and dropped by a shorter retention
CDR_FILES = RECORDED / "outbound_answered" / "json_cdr"
REQUESTS = 240


@MODES
def test_every_program_through_pgbouncer(
    mode: Mode, start: Start, tollbook: Tollbook, database: Connection, database_url: str, tmp_path: Path
) -> None:
    """Calls are recorded while the API serves requests of eight clients; then the maintenance commands run.

    Every row is right, every response is 200, both tiers are equal, and no session has kept a setting, a prepared
    statement or a lock.
    """
    database.autocommit = True
    with pgbouncer(database_url, tmp_path / "pgbouncer", mode) as through:

        def run(*arguments: str) -> str:
            done = tollbook(*arguments, database_url=through)
            assert done.returncode == 0, done.stderr
            return done.stdout

        before = left_in_sessions(through, LIMITS)
        run("db", "upgrade")
        run("account", "add", "acme")
        key = run("key", "create", "--operator").strip()
        with SwitchThread() as switch, serving(through, tmp_path / "serve.log") as served:
            listener = start("listen", esl=switch.url, database_url=through)
            switch.wait_for_subscriber(30)
            calls = Calls(switch, SOME)
            played = calls.play(CALLS, calls_per_s=100)

            def ask(number: int) -> int:
                path = ("/v1/calls?limit=100", "/v1/stats?group_by=day", "/v1/calls?updated_since=1", "/v1/whoami")
                for _ in range(20):
                    response, _ = served.get(path[number % len(path)], key)
                    if response.status != 429:
                        break
                    time.sleep(0.2)
                return response.status

            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(ask, range(REQUESTS))) == {200}
            played.result(120)
            wait_until(lambda: not list(wrong_rows(database_url, calls.rows)), 60, every_s=0.5)
            listener.end()
        store(database, call("old", start_ts=int((time.time() - OLD_DAYS * SECONDS_PER_DAY) * 1000)))
        assert run("archive", "run", "--now").startswith("archived:")
        settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path / "data")
        assert archived(settings) == stored(database)
        folder = shutil.copytree(CDR_FILES, tmp_path / "cdr")
        for command in (
            ("recover", str(folder)), ("rerate", "--since", "1970-01-01"), ("archive", "run", "--now"),
            ("archive", "compact"), ("explain", next(iter(calls.rows))[0]),
        ):  # fmt: skip
            run(*command)
        written_when_ended(database)
        done = tollbook("prune", database_url=through, retention_days="7")
        assert "pruned: 1 days of calls (1 calls" in done.stdout, done
        assert not list(folder.glob("*.json"))
        assert [row for row in stored(database) if row[0] == "old"] == []
        assert pooler(tollbook, through)["status"] == "WARN"
        _, _, remedy = pooler(tollbook, through)["remedy"].partition(" run ")
        with database.transaction(force_rollback=True):
            database.execute(remedy.encode())  # both statements, as they are
        assert left_in_sessions(through, LIMITS) == before
        assert before == {(*next(iter(before))[:-2], 0, 0)}


def pooler(tollbook: Tollbook, through: str) -> dict[str, str]:
    """Return what `doctor` finds about the pooler."""
    findings = json.loads(tollbook("doctor", "--json", database_url=through).stdout)["findings"]
    return next(finding for finding in findings if finding["check"] == "pooler")
