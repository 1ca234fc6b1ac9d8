"""Clients that generators make of the OpenAPI document read pages, a sync and sums of a real `tollbook serve`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api_server import serving
from tests.commands import BIN
from tests.databases import NewDatabase, store
from tests.factories import call_row, price_of
from tollbook.store import keys
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY, current_day

OURS = Path(__file__).parent / "generators"
SINCE = (current_day() - 1) * MS_PER_DAY
NAMES = [f"call-{number}" for number in range(7)]


@dataclass(frozen=True, kw_only=True)
class Served:
    """An API with seven calls, and a folder with its OpenAPI document to generate clients in."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str | Path, timeout: float = 120) -> str:
        """Run a command there; it must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def served(new_database: NewDatabase, tmp_path: Path) -> Iterator[Served]:
    with new_database() as url, serving(url, tmp_path / "serve.log") as server:
        with connect(url, name="test", autocommit=True) as database:
            tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
            secret = keys.create(database, account_id="acme", scopes=["cdr"])[1]
            rows = [call_row(name, "acme", SINCE + place) for place, name in enumerate(NAMES)]
            store(database, *((row, price_of(row)) for row in rows))
        _, document = server.get("/v1/openapi.json")
        (tmp_path / "openapi.json").write_bytes(document)
        yield Served(folder=tmp_path, environment={"URL": server.url, "KEY": secret, "SINCE": str(SINCE)})


def check(printed: str) -> None:
    """The walk has each call once and in order, the sync too; the next sync begins where it ended; the sum has all."""
    assert json.loads(printed) == [NAMES, NAMES, True, len(NAMES)]


def test_openapi_python_client(served: Served) -> None:
    """It reads the whole document without a warning, and what it makes reads ours."""
    made = ("--path", "openapi.json", "--meta", "none", "--output-path", "tollbook_client")
    printed = served.run(BIN / "openapi-python-client", "generate", *made)
    assert "Warning" not in printed
    shutil.copy(OURS / "client.py", served.folder)
    check(served.run(sys.executable, "client.py"))


@pytest.mark.soak
def test_openapi_typescript_codegen(served: Served) -> None:
    """What it makes is bundled without a type being asked, as a web application does it, and run by Node."""
    for name in ("package.json", "package-lock.json", "client.ts"):
        shutil.copy(OURS / name, served.folder)
    served.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", timeout=300)
    served.run("npx", "openapi-typescript-codegen", "--input", "openapi.json", "--output", "client", "--useOptions")
    served.run("npx", "esbuild", "client.ts", "--bundle", "--platform=node", "--format=esm", "--outfile=client.mjs")
    check(served.run("node", "client.mjs"))
