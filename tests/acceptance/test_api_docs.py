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
    operator_key: str
    key_id: int
    folder: Path
    database: Connection

    def run(self, *command: str) -> str:
        """Run a command with the keys and the URL in its environment, and return its output."""
        done = subprocess.run(
            command,
            env={**os.environ, "KEY": self.key, "OPERATOR_KEY": self.operator_key, "URL": self.url},
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
        key, secret = keys.create(database, account_id=account, scopes=["*"])
        operator_key = keys.create(database, account_id=None, scopes=["operator"])[1]
        made = Api(
            url=server.url, account=account, key=secret, operator_key=operator_key, key_id=key.key_id, folder=tmp_path,
            database=database,
        )  # fmt: skip
        now = time.time_ns() // 1_000_000
        made.store(row(SHOWN_ID, now - 1000), *(row(f"c{n}", now - n * 60_000) for n in range(1, ROWS)))
        database.execute(
            """
            UPDATE call_cdr SET doubts = '[["transit", "192.0.2.1"]]', trunk_legs = '[["carrier", 1, 1019, 4.5]]',
                queue_id = 'sales@default'
            WHERE account_id = %s
            """,
            (account,),
        )
        yield made


def test_there_are_examples() -> None:
    """The examples are found; otherwise a change of the document's layout could leave the tests below without any."""
    assert len(CURL) >= 6
    assert len(PYTHON) == 4


@pytest.mark.parametrize("line", CURL, ids=lambda line: re.sub(r"^.*8080|'$", "", line))
def test_a_curl_line_works_as_it_is(api: Api, line: str) -> None:
    """Pasted into a shell, each line returns a result, with rows if it asks for rows."""
    line = line.replace(BASE, api.url).replace('"acme"', f'"{api.account}"')
    if "-N" in line:  # a stream, which goes on: 28 is curl's code for that the time is over
        printed = api.run("bash", "-c", f"{line} --fail-with-body --silent --max-time 3 || [ $? = 28 ]")
        assert "\ndata: {" in f"\n{printed}"
        return
    fails = "" if "problem+json" in line else "--fail-with-body"
    printed = api.run("bash", "-c", f"{line} {fails} --silent --show-error")
    if "problem+json" in line:
        assert json.loads(printed)["type"] == "urn:tollbook:problem:bad_parameter"
        return
    if "-OJ" in line:
        (saved,) = api.folder.iterdir()
        if saved.suffix == ".pdf":
            assert saved.read_bytes().startswith(b"%PDF-")
            return
        if saved.suffix == ".xlsx":
            assert saved.read_bytes().startswith(b"PK")
            return
        assert saved.suffix == ".csv"
        assert len(saved.read_text().splitlines()) == 1 + ROWS
        return
    answer = json.loads(printed)
    assert answer["ok"] is True
    assert any(
        answer.get(name)
        for name in ("rows", "calls", "groups", "account_id", "statement", "numbers", "queues", "names", "token")
    ) or (
        [] in [answer.get(name) for name in ("statements", "numbers", "queues", "agents")]  # there are none yet
    ), answer


def test_the_walk_in_python_adds_up_every_call(api: Api) -> None:
    """The example adds up every call, in pages of 10 as well as in one."""
    for example in (PYTHON[0], PYTHON[0].replace("limit=10000", "limit=10")):
        assert api.run(sys.executable, "-c", example) == f"{ROWS * COST / 1e6:.6f}\n"


@pytest.mark.parametrize("number", [2, 3])
def test_pandas_and_duckdb_read_what_they_are_given(api: Api, number: int) -> None:
    """Each example adds up every call, a null among them."""
    assert api.run(sys.executable, "-c", PYTHON[number]) == f"{ROWS * COST / 1e6:.6f}\n"


# As sip.io's public pages have them (https://sip.io/docs/api/public-api/, /webhooks/, /docs/reporting/call-cdr/,
# /queue-metrics/).
SIPIO = (
    "curl https://api.sip.io/v1/whoami -H 'x-api-key: sk_…'",
    "curl https://api.sip.io/v1/account -H 'Authorization: Bearer <jwt>'",
    "curl https://api.sip.io/v1/openapi.json -o sipio-openapi.json",
    "curl 'https://api.sip.io/v1/calls?since=1719600000000&format=csv' -H 'x-api-key: sk_…' -o cdr.csv",
    "curl 'https://api.sip.io/v1/calls?since=1719600000000&limit=100' -H 'x-api-key: sk_…'",
    "curl 'https://api.sip.io/v1/queues?since=1719600000000' -H 'x-api-key: sk_…'",
    "curl https://api.sip.io/v1/numbers -H 'x-api-key: sk_…'",
    "curl 'https://api.sip.io/v1/agents?userId=us_dana' -H 'x-api-key: sk_…'",
    "curl -X POST https://api.sip.io/v1/webhooks -H 'x-api-key: sk_…' -H 'content-type: application/json'"
    """ -d '{ "url": "https://acme.com/hooks/sipio", "events": "call.started,call.ended", "secret": "optional" }'""",
    "curl https://api.sip.io/v1/webhooks -H 'x-api-key: sk_…'",
    "curl -X POST https://api.sip.io/v1/webhooks/test -H 'x-api-key: sk_…'",
)


@pytest.mark.parametrize("line", SIPIO, ids=lambda line: line.partition("/v1/")[2].partition(" ")[0])
def test_the_lines_of_sipio_work_with_the_host_changed(api: Api, line: str) -> None:
    """Only the host and the key are other ones; the answer has what their pages promise."""
    ours = line.replace("https://api.sip.io", api.url).replace("sk_…", api.key).replace("<jwt>", api.key)
    printed = api.run("bash", "-c", f"{ours} --fail-with-body --silent --show-error")
    if "-o cdr.csv" in line:
        assert (api.folder / "cdr.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    elif "-o " in line:
        assert json.loads((api.folder / "sipio-openapi.json").read_text())["openapi"].startswith("3.")
    else:
        answer = json.loads(printed)
        members = {"whoami": {"accountId", "scopes", "via"}, "calls": {"ok", "count", "rows"}, "queues": {"queues"},
                   "numbers": {"numbers"}, "account": {"name", "status", "timezone"}, "agents": {"agents"},
                   "webhooks": {"ok"}}  # fmt: skip
        (name,) = [name for name in members if f"/v1/{name}" in line]
        assert members[name] <= set(answer)


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
