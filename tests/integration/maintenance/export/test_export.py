"""`tollbook account export` hands over every call of an account once, and says so in a way that others can check."""

import csv
import hashlib
import io
import json
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet
from pydantic import SecretStr

from export_app.app import create_app
from export_app.context import Services
from maintenance.export import run as export_run
from maintenance.export.run import export_calls
from maintenance.prune.run import prune_days
from tests.archiving import archive_now
from tests.commands import Tollbook
from tests.databases import NewDatabase, store
from tests.factories import DETAILS, UP, call
from tests.integration.maintenance.conftest import use_s3
from tollbook.config import Settings
from tollbook.errors import ArchiveError, UsageError
from tollbook.model.details import NO_DETAILS
from tollbook.model.record import EXPORTED_COLUMNS
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY, current_day

TODAY = current_day()
FIRST = TODAY - 70


@pytest.fixture(scope="module", params=["local", pytest.param("s3", marks=pytest.mark.soak)])
def two_tiers(
    request: pytest.FixtureRequest, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of an archive, on local files and on S3, that all tests here export from and none changes.

    Calls of two accounts over 70 days: archived and pruned, archived and kept, a late one, waiting ones, one up.
    """
    with (
        new_database() as url,
        connect(url, name="test", autocommit=True) as connection,
        pytest.MonkeyPatch.context() as patch,
    ):
        if request.param == "s3":
            use_s3(patch, request.getfixturevalue("s3_server"))
        settings = Settings(database_url=SecretStr(url), data_dir=tmp_path_factory.mktemp("data"))
        fill(settings, connection)
        yield settings


@pytest.fixture
def database(two_tiers: Settings) -> Iterator[Connection]:
    """A connection to the database of `two_tiers`."""
    with connect(two_tiers.require_database_url(), name="test", autocommit=True) as connection:
        yield connection


def fill(settings: Settings, database: Connection) -> None:
    for account_id in ("acme", "other"):
        tariffs.add_account(database, tariffs.Account(account_id=account_id, name=account_id, plan_id=None))
    for number in range(160):
        start_ms = (FIRST + number * 70 // 160) * MS_PER_DAY + number % 3
        store(
            database,
            call(
                f"c{number}", ("acme", "other", "acme")[number % 3], start_ms,
                cost_micros=None if number % 7 == 0 else 1_000_003 * number,
                from_num=("+4930111", "=1+1", 'a"b,c\r\nd', "@cmd")[number % 4],
                details=DETAILS if number % 5 == 0 else NO_DETAILS, trunk_root=number % 2 == 0, destination="Germany",
            ),
        )  # fmt: skip
    archive_now(settings)
    prune_days(settings, today=TODAY)
    store(database, call("waits", "acme", (TODAY - 1) * MS_PER_DAY, cost_micros=5))
    store(database, call("up", "acme", (TODAY - 1) * MS_PER_DAY + 1, answer_ts=None, answered=0, **UP))
    # Of a pruned day: it replaces its archived row, and waits for the archive.
    store(database, call("c0", "acme", FIRST * MS_PER_DAY, cost_micros=77))


def api_rows(settings: Settings, database: Connection, account_id: str = "acme") -> list[bytes]:
    """All lines of `GET /v1/calls?format=csv` of the account, oldest first, by way of small pages."""
    secret = keys.create(database, account_id=account_id, scopes=["cdr"])[1]
    services = Services.from_settings(settings)
    services.open()
    try:
        client, cursor, lines = create_app(services).test_client(), "", list[bytes]()
        while cursor is not None:
            query = {"format": "csv", "order": "asc", "limit": "37", "fields": ",".join(EXPORTED_COLUMNS)} | (
                {"cursor": cursor} if cursor else {}
            )
            page = client.get("/v1/calls", query_string=query, headers={"x-api-key": secret})
            assert page.status_code == 200, page.text
            lines.append(page.data.split(b"\r\n", 1)[1])
            cursor = page.headers.get("X-Next-Cursor")
        return lines
    finally:
        services.close()


def test_the_csv_is_that_of_the_api_byte_for_byte(two_tiers: Settings, database: Connection, tmp_path: Path) -> None:
    """Archive and window, each call once, a header in every file, and no other account's."""
    report = export_calls(two_tiers, "acme", tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*.csv"))
    assert len(files) == report.files >= 3
    header = ",".join(EXPORTED_COLUMNS).encode() + b"\r\n"
    contents = [file.read_bytes() for file in files]
    assert all(content.startswith(header) for content in contents)
    exported = b"".join(content.removeprefix(header) for content in contents)
    assert exported == b"".join(api_rows(two_tiers, database))
    accounts = Counter(row["account_id"] for row in csv.DictReader(io.StringIO((header + exported).decode())))
    assert accounts == {"acme": 109}


@pytest.mark.parametrize("open_to_tenants", [False, True])
def test_no_carrier_is_named_to_whoever_gets_the_folder(
    two_tiers: Settings, tmp_path: Path, open_to_tenants: bool
) -> None:
    """Neither gateway nor SIP status; no carrier's address or Call-ID, unless a setting opens these to accounts."""
    settings = two_tiers.model_copy(update={"tenants_see_carriers": open_to_tenants})
    export_calls(settings, "acme", tmp_path / "out")
    texts = [file.read_bytes().decode() for file in sorted((tmp_path / "out").glob("*.csv"))]
    lines = [line for text in texts for line in csv.DictReader(io.StringIO(text, newline=""))]
    detailed = [line for line in lines if line["hung_up_by"]]
    assert len(detailed) == 21
    for line in detailed:
        hidden = not open_to_tenants and int(line["call_id"].removeprefix("c")) % 2 == 0
        assert line["source_ip"] == ("" if hidden else DETAILS.source_ip)
        assert line["sip_call_id"] == ("" if hidden else DETAILS.sip_call_id)
        recordings = [{"path": "acme/ü 1.wav", "url": None}, {"path": 'b"\n.wav', "url": None}]
        assert json.loads(line["recordings"]) == recordings
    assert not {"gateway", "sip_status"} & set(lines[0])


def test_any_recipient_can_check_the_folder_without_us(two_tiers: Settings, tmp_path: Path) -> None:
    """`sha256sum -c` covers every file; the manifest has each file's hash, size and rows, and the sums to the micro."""
    folder = tmp_path / "out"
    export_calls(two_tiers, "acme", folder, file_format="csv")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    named = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert named == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    manifest = json.loads((folder / "manifest.json").read_bytes())
    rows = list[dict[str, str]]()
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        of_file = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        assert (len(of_file), len(content), hashlib.sha256(content).hexdigest()) == (
            file["rows"], file["bytes"], file["sha256"],
        )  # fmt: skip
        rows += of_file
    costs = [int(row["cost_micros"]) for row in rows if row["cost_micros"]]
    assert (manifest["rows"], manifest["cost_micros"]) == (len(rows), {"EUR": sum(costs)})
    assert manifest["unpriced"] == sum(not row["cost_micros"] for row in rows) - 1
    assert (manifest["open"], manifest["first_start_ts"]) == (1, FIRST * MS_PER_DAY)
    assert manifest["billsec"] == sum(int(row["billsec"] or 0) for row in rows)
    assert [column["name"] for column in manifest["schema"]] == list(EXPORTED_COLUMNS)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o640}, 0o750)
    (folder / manifest["files"][0]["name"]).write_bytes(b"changed")
    assert subprocess.run(["sha256sum", "--status", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode == 1


def test_parquet_has_the_same_calls(two_tiers: Settings, tmp_path: Path) -> None:
    export_calls(two_tiers, "acme", tmp_path / "out", file_format="parquet")
    export_calls(two_tiers, "acme", tmp_path / "csv")
    tables = [parquet.read_table(file).to_pylist() for file in sorted((tmp_path / "out").glob("*.parquet"))]
    exported = [row for table in tables for row in table]
    texts = [file.read_bytes().decode() for file in sorted((tmp_path / "csv").glob("*.csv"))]
    lines = [line for text in texts for line in csv.DictReader(io.StringIO(text, newline=""))]
    assert [(row["call_id"], row["cost_micros"]) for row in exported] == [
        (line["call_id"], int(line["cost_micros"]) if line["cost_micros"] else None) for line in lines
    ]
    started_ms = [round(row["start_ts"].timestamp() * 1000) for row in exported]
    assert started_ms == [int(line["start_ts"]) for line in lines]
    done = subprocess.run(["sha256sum", "--status", "-c", "SHA256SUMS"], cwd=tmp_path / "out", check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_pages_and_row_groups_of_any_size_give_the_same_calls(
    two_tiers: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    """Small pages change neither the calls nor, in CSV, a byte."""
    whole = export_calls(two_tiers, "acme", tmp_path / "whole", file_format=file_format)
    monkeypatch.setattr(export_run, "PAGE_ROWS", 7)
    monkeypatch.setattr("maintenance.export.files.ROW_GROUP", 5)
    small = export_calls(two_tiers, "acme", tmp_path / "small", file_format=file_format)
    assert small.sums == whole.sums
    if file_format == "csv":
        names = [path.name for path in (tmp_path / "whole").glob("*.csv")]
        assert [(tmp_path / "small" / name).read_bytes() for name in names] == [
            (tmp_path / "whole" / name).read_bytes() for name in names
        ]


def test_dates_bound_what_is_handed_over(two_tiers: Settings, tmp_path: Path) -> None:
    """[since, until), and an account without a call in it gives a manifest that says so."""
    middle = (FIRST + 40) * MS_PER_DAY
    before = export_calls(two_tiers, "acme", tmp_path / "before", until=middle)
    after = export_calls(two_tiers, "acme", tmp_path / "after", since=middle)
    assert (before.sums.rows + after.sums.rows, after.sums.first_start_ts) == (109, middle)
    assert export_calls(two_tiers, "acme", tmp_path / "none", until=1).sums.rows == 0
    assert json.loads((tmp_path / "none" / "manifest.json").read_bytes())["files"] == []


def test_an_export_that_was_cut_off_has_no_manifest(
    two_tiers: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that fails half-way ends it with an error; the next export must be into another folder."""
    pages = iter([None, ArchiveError("the storage went away")])
    read_hot_page = export_run.read_hot_page

    def failing(*arguments: object) -> object:
        if error := next(pages):
            raise error
        return read_hot_page(*arguments)  # pyright: ignore[reportArgumentType] - what the caller passed

    monkeypatch.setattr(export_run, "PAGE_ROWS", 20)
    monkeypatch.setattr(export_run, "read_hot_page", failing)
    with pytest.raises(ArchiveError):
        export_calls(two_tiers, "acme", tmp_path / "out")
    assert list((tmp_path / "out").glob("*.csv"))
    assert not (tmp_path / "out" / "manifest.json").exists()
    with pytest.raises(UsageError, match="not empty"):
        export_calls(two_tiers, "acme", tmp_path / "out")


def test_the_command_names_what_is_wrong(tollbook: Tollbook, tmp_path: Path) -> None:
    """An unknown account, a bad date; and an account without calls is handed over as such."""
    assert tollbook("account", "add", "acme").returncode == 0
    unknown = tollbook("account", "export", "acem", "--to", "out")
    assert (unknown.returncode, unknown.stderr.count("account list")) == (64, 1)
    assert tollbook("account", "export", "acme", "--to", "out", "--since", "soon").returncode == 64
    done = tollbook("account", "export", "acme", "--to", "out", "--since", "2026-01-01", "--until", "2026-02-01")
    assert (done.returncode, done.stdout.split()[:5]) == (0, ["exported:", "0", "calls", "in", "0"]), done.stderr
