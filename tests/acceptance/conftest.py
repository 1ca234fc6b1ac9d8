"""The installed command as a real process, with real signals."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.metrics import Metrics
from tests.acceptance.server import Server
from tests.commands import Done, Tollbook, environment, run_installed
from tests.dashboard_site import COMPLAINTS, chromium, close_pages
from tollbook.store.schema import upgrade


@pytest.fixture
def tollbook(database_url: str, tmp_path: Path) -> Tollbook:
    """Run `tollbook ARGUMENTS` as a process, on the test's database, to its end."""

    def run(*arguments: str | bytes, **settings: str) -> Done:
        ours = {"database_url": database_url, "data_dir": str(tmp_path / "data")}
        return run_installed(arguments, environment(**ours | settings), tmp_path)

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(autouse=True)
def quiet_console() -> Iterator[None]:
    """No page logs an error or a warning, but where a test is about one and forgives it."""
    COMPLAINTS.clear()
    yield
    close_pages()
    assert COMPLAINTS == []


@pytest.fixture
def standby() -> Iterator[Server]:
    """A server that does not exist until it takes over from another."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def own_server() -> Iterator[Server]:
    """A separate server, for the tests that take it away."""
    folder = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    server = Server(folder)
    server.start()
    server.execute("CREATE DATABASE migrated")
    upgrade(server["migrated"])
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def server(own_server: Server) -> Server:
    """The separate server, running: the last test may have left it stopped."""
    own_server.start()
    return own_server


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a listener that is started with `metrics_bind=metrics.bind`."""
    return Metrics()
