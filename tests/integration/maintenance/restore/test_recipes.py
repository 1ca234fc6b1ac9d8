"""The recipes of docs/backup.md, each run as written: afterwards every reader has each call once, at its price."""

import itertools
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest

from maintenance.agents.close import GRACE_MS, close_agent_days
from tests.acceptance.server import Server
from tests.databases import on_server, store
from tests.factories import UP, Call, call
from tests.integration.maintenance.agents.shifts import work
from tests.integration.maintenance.conftest import BUCKET, PREFIX, S3Server
from tests.integration.maintenance.restore.installation import Installation, Read
from tests.paths import CALLS
from tollbook.config import load_settings
from tollbook.store.database import Connection, connect
from tollbook.times import MS_PER_DAY, current_day

TODAY = current_day()

_numbers = itertools.count()

# Those of docs/security.md, on a server that may have them from another test.
ROLES = """
DO $$ BEGIN CREATE ROLE tollbook LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE tollbook_api NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT tollbook_api TO tollbook
"""


def prepare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(ROLES)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server beside that of the tests. Not below pytest's folder: as root it is somebody else."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        server = Server(Path(folder))
        server.start()
        prepare(server.url)
        yield server
        server.stop()


@pytest.fixture(
    params=[
        "catalog in PostgreSQL",  # the one that is not marked `soak`: half a minute each
        pytest.param("catalog elsewhere", marks=pytest.mark.soak),
        pytest.param("S3", marks=pytest.mark.soak),
    ]
)
def production(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation with a database `tollbook`, in use for forty days."""
    yield from installed(request, request.param, postgres_url, tmp_path)


@pytest.fixture
def plain(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    """The same with its catalog in PostgreSQL and its archive on a disk."""
    yield from installed(request, "catalog in PostgreSQL", postgres_url, tmp_path)


def installed(request: pytest.FixtureRequest, kind: str, url: str, folder: Path) -> Iterator[Installation]:
    settings: dict[str, str] = {}
    made = Installation(folder=folder, postgres_url=url, settings=settings)
    if kind == "catalog elsewhere":
        elsewhere = on_server(url, "catalog").replace("postgresql:", "postgresql+psycopg:")
        settings |= {f"{PREFIX}URI": elsewhere, f"{PREFIX}WAREHOUSE": f"{made.data_dir}/archive"}
    if kind == "S3":
        server: S3Server = request.getfixturevalue("s3_server")
        settings |= s3_settings(server)
    prepare(url)
    made.shell("for one in tollbook catalog; do runuser -u postgres -- createdb --owner=tollbook $one; done")
    use(made)
    yield made
    names = "tollbook tollbook_before tollbook_staging catalog"
    made.shell(f"for one in {names}; do runuser -u postgres -- dropdb --force --if-exists $one; done")


def s3_settings(server: S3Server) -> dict[str, str]:
    """The settings of a warehouse on S3, for Tollbook and for rclone, whose remote is `s3`."""
    endpoint = f"http://127.0.0.1:{server.port}"
    return {
        f"{PREFIX}WAREHOUSE": f"s3://{BUCKET}/backup-{next(_numbers)}",
        f"{PREFIX}S3__ENDPOINT": endpoint,
        f"{PREFIX}S3__ACCESS_KEY_ID": server.key,
        f"{PREFIX}S3__SECRET_ACCESS_KEY": server.secret,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Rclone",
        "RCLONE_CONFIG_S3_ENDPOINT": endpoint,
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": server.key,
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": server.secret,
    }


def use(made: Installation) -> None:
    """Record forty days of calls, archive them and prune; some of one recording come from its CDR files."""
    made.tollbook("db", "upgrade")
    with connected(made) as connection:
        store(connection, *(of_day(f"c{day}", day) for day in range(TODAY - 40, TODAY - 1)))
        store(connection, of_day("up", TODAY - 2, **UP), of_day("priced again", TODAY - 3), of_day("moved", TODAY - 3))
    made.tollbook("archive", "run", "--now")
    made.tollbook("prune")
    with connected(made) as connection:
        store(connection, of_day("waiting", TODAY - 2))
        work(connection, "bob", TODAY - 6)
    with patch.dict(os.environ, made.environment()):
        close_agent_days(load_settings(), now_ms=(TODAY - 5) * MS_PER_DAY + GRACE_MS)


def go_on(made: Installation) -> None:
    """A day later: calls end, prices and accounts change, others are new, and all of it is archived."""
    put_files(made)
    made.tollbook("recover", str(made.cdr_dir))
    with connected(made) as connection:
        store(connection, of_day("up", TODAY - 2), of_day("priced again", TODAY - 3, cost_micros=5))
        store(connection, of_day("moved", TODAY - 3, "beta"), of_day("new", TODAY - 1), of_day("newer", TODAY))
        store(connection, of_day("old", TODAY - 35))
        work(connection, "bob", TODAY - 3)
    made.tollbook("archive", "run", "--now")


def of_day(name: str, day: int, account: str | None = "acme", **changed: object) -> Call:
    return call(name, account, day * MS_PER_DAY + 3_600_000, **changed)


def put_files(made: Installation) -> None:
    made.cdr_dir.mkdir(exist_ok=True)
    for file in (CALLS / "attended_transfer" / "json_cdr").iterdir():
        shutil.copy(file, made.cdr_dir)


def connected(made: Installation) -> Connection:
    return connect(made.url, name="test", autocommit=True)


def held_once(made: Installation, wanted: Read, worked: Sequence[int] = (TODAY - 6, TODAY - 3)) -> None:
    """Every reader has these calls, each once, and to the micro; nothing waits, and the nightly work goes on.

    `worked`: the days on which an agent had a call, in both tiers.
    """
    for reader, found in made.readers().items():
        assert found == wanted, reader
    assert "archived: 0 rows" in made.tollbook("archive", "run", "--now")
    # Yesterday is closed from 06:00 UTC on.
    assert re.search(r"^agents: [56] closed days compared", made.tollbook("archive", "verify"), re.MULTILINE)
    with connected(made) as connection:
        assert connection.execute("SELECT day FROM agent_day WHERE handled = 1 ORDER BY day").fetchall() == [
            (day,) for day in worked
        ]
    made.tollbook("prune")
    made.tollbook("archive", "compact")
    findings = json.loads(made.shell("tollbook doctor --json || true"))["findings"]
    assert {finding["check"]: finding["status"] for finding in findings}["history"] == "OK"
    assert made.queried() == wanted


def all_of(made: Installation) -> Read:
    """What the readers agree on before anything is lost."""
    readers = made.readers()
    assert readers["/v1/calls"] == readers["archive query"] == readers["DuckDB"]
    assert max(readers["/v1/calls"].values()) == 1
    return readers["/v1/calls"]


def test_the_database_of_yesterday(production: Installation) -> None:
    production.follow("What to back up")
    go_on(production)
    wanted = all_of(production)
    put_files(production)
    output = production.follow("The database of yesterday")
    assert "attached: " in output
    held_once(production, wanted)


@pytest.mark.soak
def test_the_database_is_lost(production: Installation) -> None:
    """What had been archived is back, and its CDR files, read once more, add nothing."""
    go_on(production)
    wanted = all_of(production)
    production.shell("runuser -u postgres -- dropdb --force tollbook")
    put_files(production)
    production.follow("The database is lost, and there is no backup")
    held_once(production, wanted)


@pytest.mark.soak
def test_a_part_of_the_archive_is_lost(plain: Installation) -> None:
    """All that was written since the backup, the newest state with it, and some of what is in the backup."""
    plain.follow("What to back up")
    go_on(plain)
    wanted = all_of(plain)
    saved = {path.name for path in plain.backup.rglob("*")}
    files = [path for path in (plain.data_dir / "archive").rglob("*") if path.is_file()]
    for number, path in enumerate(sorted(files)):
        if path.name not in saved or number % 3 == 0:
            path.unlink()
    plain.follow("A part of the archive is lost")
    held_once(plain, wanted)


@pytest.mark.soak
def test_both_are_lost(plain: Installation) -> None:
    """What was there at the time of the backup is back, and what the CDR files have since."""
    plain.readers()
    plain.follow("What to back up")
    before = all_of(plain)
    go_on(plain)
    recovered = Counter({call: 1 for call in all_of(plain) if call[2] == "acct_alpha"})
    assert recovered
    plain.shell('runuser -u postgres -- dropdb --force tollbook; createdb -U postgres tollbook; rm -r "$ARCHIVE"')
    put_files(plain)
    plain.shell('rclone copy --ignore-existing "$BACKUP/archive" "$ARCHIVE"')
    plain.follow("The database of yesterday")
    held_once(plain, before + recovered, [TODAY - 6])


@pytest.mark.soak
def test_a_staging_copy(plain: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It archives what it has of its own, and production's files stay as they are, byte by byte, whatever it runs."""
    go_on(plain)
    wanted = all_of(plain)
    files = files_of(plain)
    staging = Installation(
        folder=tmp_path_factory.mktemp("staging"), postgres_url=plain.postgres_url, database="tollbook_staging"
    )
    staging.settings["TOLLBOOK_DATA_DIR"] = str(staging.data_dir)
    own = {
        "postgresql://tollbook:PASSWORD@127.0.0.1:5432/tollbook_staging": staging.url,
        "/var/lib/tollbook-staging": str(staging.data_dir),
    }
    plain.follow("A staging copy", own)
    staging.tollbook("archive", "run", "--now")
    staging.tollbook("archive", "compact", "--remove-orphans")
    window = {key: 1 for key in wanted if key[1] >= (TODAY - 30) * MS_PER_DAY or key[0] == "old"}  # that one is late
    assert staging.queried() == Counter(window)
    assert files_of(plain) == files
    held_once(plain, wanted)


@pytest.mark.soak
def test_another_server(plain: Installation, own_server: Server) -> None:
    """The database is dumped here and restored there; the archive stays where it is."""
    go_on(plain)
    with connected(plain) as connection:
        store(connection, of_day("waits", TODAY))
    new = Installation(folder=plain.folder, postgres_url=own_server.url)
    replaced = {
        "PGHOST=NEW_SERVER": f"PGHOST={own_server.url.partition('host=')[2]}",
        "postgresql://tollbook:PASSWORD@NEW_SERVER:5432/tollbook": new.url,
    }
    plain.follow("Another server, or a new version of PostgreSQL", replaced)
    wanted = new.readers()["archive query"]
    assert "waits" in {call_id for call_id, *_ in wanted}
    held_once(new, wanted)


@pytest.mark.soak
def test_a_physical_copy_that_is_put_back(own_server: Server, tmp_path: Path) -> None:
    """The files of the stopped server, of yesterday: nothing in them shows it, but the data directory does."""
    made = Installation(folder=tmp_path, postgres_url=own_server.url)
    made.shell("runuser -u postgres -- createdb --owner=tollbook tollbook")
    use(made)
    cluster, copy = own_server.folder / "postgresql", tmp_path / "copy"
    own_server.stop()
    made.shell(f"cp -a {cluster} {copy}")
    own_server.start()
    go_on(made)
    wanted = all_of(made)
    own_server.stop()
    made.shell(f"rm -r {cluster}; cp -a {copy} {cluster}")
    own_server.start()
    put_files(made)
    made.tollbook("archive", "attach")
    made.tollbook("recover", str(made.cdr_dir))
    held_once(made, wanted)


def files_of(made: Installation) -> dict[Path, bytes]:
    folder = made.data_dir / "archive"
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
