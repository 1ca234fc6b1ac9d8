"""Other engines read the archive by the examples of docs/archive.md, and agree with PostgreSQL."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from tests.databases import store
from tests.factories import Call, call, price_of
from tests.paths import ROOT
from tollbook.config import Settings
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

DOCUMENT = (ROOT / "docs" / "archive.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
AUGUST = 1_785_542_400_000  # 2026-08-01T00:00:00Z
DAYS = 92

SUMS = """
    SELECT account_id, to_char(to_timestamp(start_ts / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM') AS month, currency,
           count(*), sum(billsec), sum(cost_micros)
    FROM call_cdr WHERE account_id = 'acme' AND start_ts >= 1788220800000 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def made(number: int, billsec: int) -> Call:
    """Make calls of three months, some at the edges of days and months, of three accounts and of none.

    Half of acme's calls are priced in dollars.
    """
    start = AUGUST + (number % DAYS) * MS_PER_DAY + (number * 7919) % 3 * (MS_PER_DAY // 2 - 1)
    account_id = ("acme", "_acme", "other", None)[number % 4]
    row, _ = call(f"call {number} ü", account_id, start, billsec=billsec)
    return row, price_of(row, number * 10**9, "USD" if number % 8 == 4 else "EUR")


@pytest.fixture
def archive(database: Connection, database_url: str, tmp_path: Path) -> Settings:
    """An archive made by several appends, and by corrections that replaced whole files."""
    database.autocommit = True
    settings = Settings(database_url=SecretStr(database_url), data_dir=tmp_path)
    rows = [made(number, number % 77) for number in range(4000)]
    store(database, *rows[:2500])
    archive_calls(settings, now=True)
    store(database, *rows[2500:])
    archive_calls(settings, now=True)
    corrected = [(msgspec.structs.replace(row, billsec=1000), price) for row, price in rows[::40]]
    store(database, *corrected)
    archive_calls(settings, now=True)
    return settings


def played(example: str, settings: Settings) -> list[str]:
    """Run an example as its reader would, and return what it prints."""
    environment = os.environ | {
        "PYICEBERG_CATALOG__TOLLBOOK__TYPE": "sql",
        "PYICEBERG_CATALOG__TOLLBOOK__URI": settings.require_database_url().replace(
            "postgresql:", "postgresql+psycopg:"
        ),
        "PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE": f"file://{settings.data_dir}/archive",
        "RUST_LOG": "error",
    }
    script = settings.data_dir / "example.py"
    script.write_text(example)
    command = [sys.executable, script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_examples_are_found() -> None:
    """All three are in the document: otherwise the tests below would check nothing."""
    words = ("to_duckdb", "scan_iceberg", "pysail")
    assert [[word in example for word in words] for example in EXAMPLES] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


# The last engine, an Apache Spark, is heavier.
ENGINES = [
    pytest.param(example, id=name, marks=pytest.mark.soak if name == "sail" else ())
    for name, example in zip(("duckdb", "polars", "sail"), EXAMPLES, strict=True)
]


@pytest.mark.parametrize("example", ENGINES)
def test_an_example_gives_the_sums_of_postgresql(archive: Settings, database: Connection, example: str) -> None:
    wanted = [" ".join(map(str, row)) for row in database.execute(SUMS)]
    assert len(wanted) == 4
    assert played(example, archive) == wanted


POLARS_KEYS = """
columns = ("call_id", pl.col("start_ts").dt.epoch("ms"), "billsec", "cost_micros", "account_id")
sums = calls.select(pl.concat_str(columns, separator="T"))
"""


@pytest.mark.parametrize("example", ENGINES)
def test_an_engine_sees_every_call_once(archive: Settings, database: Connection, example: str) -> None:
    """All ids with their starts, and the sums of every account: no row is missing, outdated or twice."""
    if "scan_iceberg" in example:
        whole, replaced = re.subn(r"^sums = .*?^\)$", POLARS_KEYS, example, flags=re.DOTALL | re.MULTILINE)
    else:
        whole = re.sub(r'row_filter="[^"]*"', "", example)
        columns = ", 'T', ".join(("call_id", "epoch_ms(start_ts)", "billsec", "cost_micros", "account_id"))
        query = f'"SELECT concat({columns}) FROM calls"'
        if "pysail" in example:
            query = query.replace("epoch_ms", "unix_millis")
        whole, replaced = re.subn(r'"SELECT .*?(?=\n\))', query, whole, flags=re.DOTALL)
    assert replaced == 1
    names = {None: "_none", "_acme": "__acme"}
    wanted = sorted(
        f"{call_id}T{start_ts}T{billsec}T{cost}T{names.get(account, account)}"
        for call_id, start_ts, billsec, cost, account in database.execute(
            "SELECT call_id, start_ts, billsec, cost_micros, account_id FROM call_cdr"
        )
    )
    assert len(wanted) == 4000
    assert sorted(played(whole, archive)) == wanted
