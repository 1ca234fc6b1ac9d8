"""What every test can ask for: a real PostgreSQL, and a fresh migrated database of its own."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from tests import run_folder
from tests.commands import Done, Running, Start, Tollbook, environment, run_here
from tests.databases import NewDatabase, on_server
from tests.parts import Part
from tollbook.embedded import embedded_postgres
from tollbook.store.database import Connection, connect
from tollbook.store.schema import upgrade

# In memory a copy of the template database takes 20 ms of CPU and an fsync none; on a disk, 150 ms and a long wait.
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 6 * 1024**3

_names = itertools.count()

# How many examples a property is tried on: a few in `make test`, many in `make soak`, which names its profile.
settings.register_profile("test", deadline=None, max_examples=30)
settings.register_profile("soak", deadline=None, max_examples=150)
settings.load_profile("test")


def pytest_configure() -> None:
    """Put what the tests and their processes write in memory, unless TMPDIR says otherwise or there is too little.

    And let none of them read the settings of a Tollbook that is at work on this machine.
    """
    os.environ["TOLLBOOK_ENV_FILE"] = ""
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES:
        os.environ["TMPDIR"] = str(run_folder.make(_MEMORY))
        tempfile.tempdir = None  # what was found before


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--part=1/3`: of any three chosen tests in a row one."""
    parser.addoption("--part", help="only a part of the chosen tests, such as 1/3")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the other parts' tests out. Last, after `-m` and `-k` have chosen."""
    if (text := config.getoption("--part")) is None:
        return
    try:
        part = Part.parse(text)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    config.hook.pytest_deselected(items=[item for place, item in enumerate(items) if not part.has(place)])
    items[:] = [item for place, item in enumerate(items) if part.has(place)]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the session; its data need not survive a crash.

    TOLLBOOK_TEST_DATABASE_URL names another one, empty, for one worker (`-n0`), in the form
    postgresql://postgres@/postgres?host=DIRECTORY.
    """
    if url := os.environ.get("TOLLBOOK_TEST_DATABASE_URL"):
        yield url
        return
    # Not below pytest's folder: each new session of pytest closes that one to others, and as root the server is
    # somebody else.
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder,
        embedded_postgres(Path(folder), fsync=False) as url,
    ):
        yield url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of a migrated, empty database that others are copied from: migrating once is enough."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE tollbook_template")
    upgrade(on_server(postgres_url, "tollbook_template"))
    return "tollbook_template"


@pytest.fixture(scope="session")
def new_database(postgres_url: str, template_database: str) -> NewDatabase:
    """Make a migrated database, yield its URL, and drop it."""

    @contextmanager
    def made() -> Generator[str]:
        name = f"tollbook_{next(_names)}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            # The other strategy writes each page to the log too.
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
            yield on_server(postgres_url, name)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    return made


@pytest.fixture
def database_url(new_database: NewDatabase) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    with new_database() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    """A connection to the fresh database."""
    with connect(database_url, name="test") as connection:
        yield connection


@pytest.fixture
def tollbook(database_url: str, tmp_path: Path) -> Tollbook:
    """Run `tollbook ARGUMENTS` on the test's database to its end; settings by name, without TOLLBOOK_."""

    def run(*arguments: str | bytes, **settings: str) -> Done:
        return run_here(arguments, environment(**_settings(database_url, tmp_path) | settings), tmp_path)

    return run


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start `tollbook ARGUMENTS` on the test's database; whatever still runs at the end is killed."""
    started: list[Running] = []

    def begin(*arguments: str, **settings: str) -> Running:
        log = tmp_path / f"{arguments[0]}-{len(started)}.log"
        running = Running(arguments, environment(**_settings(database_url, tmp_path) | settings), log)
        started.append(running)
        return running

    yield begin
    for running in started:
        running.kill()


def _settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {"database_url": database_url, "data_dir": str(tmp_path / "data")}
