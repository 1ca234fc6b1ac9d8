"""A whole installation, on which the commands of docs/backup.md are run, and what every reader says that it holds."""

import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeAlias

from tests.api_server import ApiServer, serving
from tests.commands import BIN, environment, run_here
from tests.databases import binary, on_server
from tests.documents import section, shell_blocks
from tests.paths import ROOT
from tollbook.times import MS_PER_DAY, current_day

#: What makes a call, wherever it is read: its key, its account, its seconds and its price.
Read: TypeAlias = Counter[tuple[str, int, str | None, int, int | None]]

_DUCKDB = """
from pyiceberg.catalog import load_catalog

calls = load_catalog("tollbook").load_table("tollbook.calls").scan().to_duckdb("calls")
for row in calls.execute(
    "SELECT call_id, epoch_ms(start_ts), nullif(account_id, '_none'), billsec, cost_micros FROM calls"
).fetchall():
    print(*row, sep="|")
"""


def recipe(heading: str) -> str:
    """Return the shell commands below a heading of docs/backup.md."""
    blocks = shell_blocks(section(ROOT / "docs" / "backup.md", heading))
    assert blocks, heading
    return "".join(blocks)


@dataclass(kw_only=True)
class Installation:
    """Where an installation is. `postgres_url`: of the server's database `postgres`. `settings`: by whole names."""

    folder: Path
    postgres_url: str
    settings: dict[str, str] = field(default_factory=dict)
    database: str = "tollbook"

    @property
    def url(self) -> str:
        """The database as the role `tollbook`, which owns it."""
        return on_server(self.postgres_url, self.database).replace("postgres@", "tollbook@")

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def cdr_dir(self) -> Path:
        return self.folder / "json_cdr"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    @property
    def archive(self) -> str:
        """Where the archive's tables are, as rclone names it."""
        warehouse = self.settings.get("PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE", f"{self.data_dir}/archive")
        return warehouse.replace("s3://", "s3:") + "/tollbook"

    def environment(self) -> dict[str, str]:
        """Return the environment of a shell with the installation's settings."""
        ours = {"database_url": self.url, "data_dir": str(self.data_dir), "cdr_dir": str(self.cdr_dir)}
        return environment(**ours, retention_days="30") | self.settings

    def tollbook(self, *arguments: str) -> str:
        """Run a command that must succeed, and return what it prints. In this process: starting one takes a second."""
        self.data_dir.mkdir(exist_ok=True)
        done = run_here(arguments, self.environment(), self.folder)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def follow(self, heading: str, replaced: Mapping[str, str] | None = None) -> str:
        """Run a recipe of docs/backup.md; what the operator would fill in is `replaced` by what is so here."""
        script = recipe(heading)
        for written, here in (replaced or {}).items():
            assert written in script, written
            script = script.replace(written, here)
        return self.shell(script)

    def shell(self, script: str, *, fails: int = 0) -> str:
        """Run a script as root's shell would on the machine of the installation, and return what it prints.

        `runuser` needs no password there, and `systemctl` is written down: no unit runs here.
        """
        tools = self.folder / "tools"
        if not tools.exists():
            self._make_tools(tools)
        for made in (self.data_dir, self.backup):
            made.mkdir(exist_ok=True)
        host = self.postgres_url.partition("host=")[2]
        ours = {
            "PATH": f"{tools}:{BIN}:{binary('psql').parent}:/usr/bin:/bin",
            "PGHOST": host,
            "ARCHIVE": self.archive,
            "BACKUP": str(self.backup),
            "RCLONE_CONFIG": "/dev/null",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=self.environment() | ours, cwd=self.folder,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == fails, f"{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def _make_tools(self, tools: Path) -> None:
        tools.mkdir()
        scripts = {
            "runuser": 'user=$2; shift 3; [ "$user" = postgres ] && export PGUSER=postgres; exec "$@"',
            "systemctl": f'echo "$@" >> {shlex.quote(str(self.folder / "systemctl"))}',
        }
        for name, script in scripts.items():
            (tools / name).write_text(f"#!/bin/sh\n{script}\n")
            (tools / name).chmod(0o755)

    def readers(self) -> dict[str, Read]:
        """Return what each reader says that there is, once everything that waits is archived.

        The API pages through both tiers, and checks its sums; `archive query` and DuckDB, by way of pyiceberg, read the
        archive.
        """
        self.tollbook("archive", "run", "--now")
        return {"/v1/calls": self._paged(), "archive query": self.queried(), "DuckDB": self._foreign()}

    def queried(self) -> Read:
        """Return what `tollbook archive query` prints."""
        return _read([json.loads(line) for line in self.tollbook("archive", "query", "--all").splitlines()])

    def _paged(self) -> Read:
        calls: list[dict[str, Any]] = []
        since = (current_day() - 29) * MS_PER_DAY
        with self._api() as (api, key):
            path = "/v1/calls?since=0&limit=50"
            while path:
                page = _body(*api.get(path, key))
                calls += page["rows"]
                path = f"/v1/calls?since=0&limit=50&cursor={page['next_cursor']}" if "next_cursor" in page else ""
            total = _body(*api.get(f"/v1/stats?since={since}", key))["total"]
        found = _read(calls)
        costs = sum(cost["cost_micros"] for cost in total["cost"])
        assert (total["calls"] - total["open"], total["billsec"], costs) == _sums(found, since)
        return found

    @contextmanager
    def _api(self) -> Generator[tuple[ApiServer, str]]:
        key = self.tollbook("key", "create", "--operator").split()[0]
        log = self.folder / "api.log"
        with serving(self.url, log, whole=self.settings, data_dir=str(self.data_dir), retention_days="30") as api:
            yield api, key

    def _foreign(self) -> Read:
        ours = {
            "PYICEBERG_CATALOG__TOLLBOOK__TYPE": "sql",
            "PYICEBERG_CATALOG__TOLLBOOK__URI": self.url.replace("postgresql:", "postgresql+psycopg:"),
            "PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE": f"file://{self.data_dir}/archive",
        }
        done = subprocess.run(
            [sys.executable, "-c", _DUCKDB], env=ours | self.environment(), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rows = [line.split("|") for line in done.stdout.splitlines()]
        return Counter((id_, int(at), _text(who), int(sec), _number(cost)) for id_, at, who, sec, cost in rows)


def _read(calls: list[dict[str, Any]]) -> Read:
    return Counter(
        (call["call_id"], call["start_ts"], call["account_id"], call["billsec"], call["cost_micros"])
        for call in calls
        if call["end_ts"] is not None
    )


def _body(response: HTTPResponse, body: bytes) -> Any:
    assert response.status == 200, body
    return json.loads(body)


def _sums(calls: Read, since: int) -> tuple[int, int, int]:
    """Add up what /v1/stats does: calls, billsec, cost."""
    counted = [(many, call) for call, many in calls.items() if call[1] >= since]
    return (
        sum(many for many, _ in counted),
        sum(many * billsec for many, (_, _, _, billsec, _) in counted),
        sum(many * (cost or 0) for many, (*_, cost) in counted),
    )


def _text(text: str) -> str | None:
    return None if text == "None" else text


def _number(text: str) -> int | None:
    return None if text == "None" else int(text)
