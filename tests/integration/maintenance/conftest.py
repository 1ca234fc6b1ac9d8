"""The archive on local files and on a real S3 server; the catalog is in the test's PostgreSQL."""

import itertools
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem
from pydantic import SecretStr

from tests.sums import assert_sums_whole
from tests.waiting import wait_until
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, ArchiveLost
from tollbook.store.database import Connection, connect

RCLONE = Path(sys.executable).with_name("rclone")
PREFIX = "PYICEBERG_CATALOG__TOLLBOOK__"

BUCKET = "calls"

_warehouses = itertools.count()

# The folders whose tests write both tiers by our commands; the tests of others also change one of them by hand.
_SUMMED = ("erase", "importing", "prune", "recover", "rerate", "restore")


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """`rclone serve s3` on loopback, with one bucket."""

    port: int
    key: str = "throwaway-key-id"
    secret: str = "throwaway-secret"

    def files(self, **options: bool) -> S3FileSystem:
        """A client, not by way of pyiceberg."""
        return S3FileSystem(
            endpoint_override=f"http://127.0.0.1:{self.port}", access_key=self.key, secret_key=self.secret,
            region="us-east-1", **options,
        )  # fmt: skip


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server in memory, with credentials that are good for nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        server = S3Server(port=probe.getsockname()[1])
    command = [
        RCLONE, "serve", "s3", "--addr", f"127.0.0.1:{server.port}", "--auth-key", f"{server.key},{server.secret}",
        "--config", "/dev/null", ":memory:",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or answers(server.port), 20, what=lambda: "for rclone's S3")
        assert process.poll() is None, "rclone serve s3 ended"
        server.files(allow_bucket_creation=True).create_dir(BUCKET)
        yield server
    finally:
        process.kill()
        process.wait(10)


def answers(port: int) -> bool:
    """Tell whether anybody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def use_s3(monkeypatch: pytest.MonkeyPatch, server: S3Server, *, port: int | None = None) -> None:
    """Set pyiceberg's settings for a warehouse of its own on this server, by way of another port if one is given."""
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"s3://{BUCKET}/archive-{next(_warehouses)}")
    monkeypatch.setenv(f"{PREFIX}S3__ENDPOINT", f"http://127.0.0.1:{port or server.port}")
    monkeypatch.setenv(f"{PREFIX}S3__ACCESS_KEY_ID", server.key)
    monkeypatch.setenv(f"{PREFIX}S3__SECRET_ACCESS_KEY", server.secret)
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def local_settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an archive on local files; whatever a test does with it, sums stay those of rows and archive."""
    yield (settings := Settings(database_url=SecretStr(database_url), data_dir=tmp_path))
    # The settings of S3 are gone by now.
    if request.path.parent.name in _SUMMED and "s3" not in request.node.name:
        with suppress(ArchiveLost, ArchiveDamaged):  # by the test
            assert_sums_whole(settings)


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.soak)])
def settings(request: pytest.FixtureRequest, local_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an archive: a test that asks for them runs on local files, and in `make soak` on S3."""
    return _on_storage(request, local_settings, monkeypatch)


@pytest.fixture(params=["local", "s3"])
def settings_on_both(
    request: pytest.FixtureRequest, local_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The same for tests of what the storage itself decides: on S3 in `make test` too."""
    return _on_storage(request, local_settings, monkeypatch)


def _on_storage(request: pytest.FixtureRequest, local_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    if request.param == "s3":
        use_s3(monkeypatch, request.getfixturevalue("s3_server"))
    return local_settings


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    """A connection in autocommit, as the archiver's."""
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection
