"""The curl lines and Python examples of docs/api.md work as printed, on a real `tollbook serve`."""

import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.api_server import ApiServer, serving
from tests.databases import NewDatabase, store
from tests.factories import call_row, price_of
from tests.paths import ROOT
from tollbook.model.record import COLUMNS, Row
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

DOCUMENT = (ROOT / "docs" / "api.md").read_text()
CURL = re.findall(r"^ {4}(curl .*)$", DOCUMENT, re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
BASE = "http://127.0.0.1:8080"
SHOWN_ID = "8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e"
ROWS = 25
COST = 21_000


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API with the calls of an account, and a folder to run examples in."""

    url: str
    account: str
    key: str
    key_id: int
    folder: Path
    database: Connection

    def run(self, *command: str) -> str:
        """Run a command with the key and the URL in its environment, and return its output."""
        done = subprocess.run(
            command,
            env={**os.environ, "KEY": self.key, "URL": self.url},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def store(self, *rows: Row) -> None:
        """Store complete calls, all at the same price."""
        ours = [replace(row, account_id=self.account, switch=self.account) for row in rows]
        store(self.database, *((row, price_of(row, COST)) for row in ours), with_legs=True)


def row(call_id: str, start_ts: int, billsec: int = 60) -> Row:
    """Return a call that the examples find."""
    return call_row(call_id, None, start_ts, billsec=billsec)


@pytest.fixture(scope="module")
def shared(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ApiServer]]:
    """The URL of a database, and an API over it, where each test has its own account."""
    with new_database() as url, serving(url, tmp_path_factory.mktemp("api") / "serve.log") as server:
        yield url, server


@pytest.fixture
def api(shared: tuple[str, ApiServer], tmp_path: Path) -> Iterator[Api]:
    """An API that answers requests, with the calls of a new account."""
    url, server = shared
    account = secrets.token_hex(4)
    with connect(url, name="test", autocommit=True) as database:
        tariffs.add_account(database, tariffs.Account(account_id=account, name="Acme", plan_id=None))
        key, secret = keys.create(database, account_id=account, scopes=["cdr"])
        made = Api(url=server.url, account=account, key=secret, key_id=key.key_id, folder=tmp_path, database=database)
        now = time.time_ns() // 1_000_000
        made.store(row(SHOWN_ID, now - 1000), *(row(f"c{n}", now - n * 60_000) for n in range(1, ROWS)))
        yield made


def test_there_are_examples() -> None:
    """The examples are found; otherwise a change of the document's layout could leave the tests below without any."""
    assert len(CURL) >= 6
    assert len(PYTHON) == 2


@pytest.mark.parametrize("line", CURL, ids=lambda line: re.sub(r"^.*8080|'$", "", line))
def test_a_curl_line_works_as_it_is(api: Api, line: str) -> None:
    """Pasted into a shell, each line returns a result, with rows if it asks for rows."""
    printed = api.run("bash", "-c", f"{line.replace(BASE, api.url)} --fail-with-body --silent --show-error")
    if "-OJ" in line:
        (saved,) = api.folder.iterdir()
        assert saved.suffix == ".csv"
        assert len(saved.read_text().splitlines()) == 1 + ROWS
        return
    answer = json.loads(printed)
    assert answer["ok"] is True
    assert any(answer.get(name) for name in ("rows", "calls", "groups", "account_id")), answer


def test_the_walk_in_python_adds_up_every_call(api: Api) -> None:
    """The example adds up every call, in pages of 10 as well as in one."""
    for example in (PYTHON[0], PYTHON[0].replace("limit=10000", "limit=10")):
        assert api.run(sys.executable, "-c", example) == f"{ROWS * COST / 1e6:.6f}\n"


def test_the_nightly_sync_in_python_matches_the_database(api: Api) -> None:
    """After each sync the copy equals the table: new calls, changed calls, none twice, in small pages and in large."""
    now = time.time_ns() // 1_000_000
    nights: list[tuple[str, list[Row]]] = [
        (PYTHON[1], []),
        (PYTHON[1].replace("limit=10000", "limit=10"), [row("new", now), row("c1", now - 60_000, billsec=59)]),
        (PYTHON[1], [row("newer", now + 1), *(row(f"late{n}", now - MS_PER_DAY - n) for n in range(15))]),
    ]
    for example, rows in nights:
        if rows:
            api.store(*rows)
        printed = api.run(sys.executable, "-c", example)
        wanted = api.database.execute(
            "SELECT start_ts, call_id, switch, billsec FROM call_cdr WHERE account_id = %s"
            " ORDER BY start_ts, call_id, switch",
            (api.account,),
        ).fetchall()
        assert printed == f"{len(wanted)} calls\n"
        with sqlite3.connect(api.folder / "calls.db") as synced:
            found = synced.execute("SELECT * FROM calls ORDER BY start_ts, call_id, switch").fetchall()
        assert [(*key, json.loads(record)["billsec"]) for *key, record in found] == wanted


def test_the_sync_ends_with_the_apis_message(api: Api) -> None:
    """An error that is not temporary ends the sync with the API's message."""
    keys.revoke(api.database, api.key_id)
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[1]],
        env={**os.environ, "KEY": api.key, "URL": api.url},
        cwd=api.folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "unknown or revoked" in done.stderr


def test_the_power_query_recipe_matches_the_api(api: Api) -> None:
    """Its path, parameters, header and members are those of the OpenAPI document; no engine for it runs here."""
    (recipe,) = re.findall(r"^```powerquery\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    document = json.loads(api.run("curl", "--silent", f"{api.url}/v1/openapi.json"))
    path = re.search(r'RelativePath = "(.*)"', recipe)
    assert path
    resource = document["paths"][f"/{path[1]}"]["get"]
    names = {parameter["name"] for parameter in resource["parameters"]}
    queries = re.findall(r"\[((?:since|cursor) = .*)\],?$", recipe, re.MULTILINE)
    assert len(queries) == 2
    assert {name for query in queries for name in re.findall(r"(?:^|, )(\w+) = ", query)} <= names
    assert document["components"]["securitySchemes"]["key"]["name"] in recipe
    assert {"rows", "next_cursor"} <= set(document["components"]["schemas"]["CallPage"]["properties"])
    assert set(re.findall(r'\{"(\w+)", ', recipe)) <= set(COLUMNS)
    assert recipe.count("(") == recipe.count(")")
    assert recipe.count("{") == recipe.count("}")
