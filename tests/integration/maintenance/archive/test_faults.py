"""Real failures of storage and catalog: a proxy in front of each cuts, stalls, refuses, or loses an answer."""

import contextlib
import logging
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.conftest import PREFIX, S3Server, use_s3
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

METHODS = (b"PUT ", b"GET ", b"HEAD ", b"POST ", b"DELETE ")
ANSWER_503 = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Relays connections; for the n-th request, or from it on, `fault` happens instead.

    cut: the connection is closed before the request is passed on; lose: the request is passed on, its answer is not;
    503: the server is too busy; stall: nothing happens any more.
    """

    def __init__(self, target: str | int, listener: socket.socket, requests: tuple[bytes, ...] = METHODS) -> None:
        self._target, self._listener, self._requests = target, listener, requests
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.seen = 0
        self.fault, self.at, self.for_ever = "", 0, False
        threading.Thread(target=self._serve, daemon=True).start()

    def break_at(self, fault: str, at: int, *, for_ever: bool = False) -> None:
        with self._lock:
            self.fault, self.at, self.for_ever, self.seen = fault, at, for_ever, 0

    def heal(self) -> None:
        self.break_at("", 0)

    def end(self) -> None:
        self._ended.set()
        self._listener.close()

    def _due(self, data: bytes) -> str:
        if not any(data.startswith(word) or (len(word) > 5 and word in data) for word in self._requests):
            return ""
        with self._lock:
            self.seen += 1
            due = self.seen == self.at or (self.for_ever and self.seen > self.at)
            return self.fault if due else ""

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        if isinstance(self._target, int):
            server = socket.create_connection(("127.0.0.1", self._target))
        else:
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
        losing = False
        with client, server, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in ready.select(0.5):
                    data = key.fileobj.recv(1 << 16)
                    if not data or (losing and key.fileobj is server):
                        return
                    if key.fileobj is server:
                        client.sendall(data)
                        continue
                    fault = self._due(data)
                    if fault == "cut":
                        return
                    if fault == "503":
                        client.sendall(ANSWER_503)
                        return
                    if fault == "stall":
                        self._ended.wait(30)
                        return
                    losing = losing or fault == "lose"
                    server.sendall(data)


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between us and the S3 server."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(s3_server.port, listener)
    use_s3(monkeypatch, s3_server, port=listener.getsockname()[1])
    monkeypatch.setenv(f"{PREFIX}S3__REQUEST_TIMEOUT", "1")
    yield proxy
    proxy.end()


def try_run(settings: Settings) -> None:
    with contextlib.suppress(ArchiveError):
        archive_calls(settings, now=True)


@pytest.mark.parametrize("fault", ["lose", *(pytest.param(fault, marks=pytest.mark.soak) for fault in ("cut", "503"))])
def test_a_request_that_fails_costs_no_row_whichever_it_is(
    local_settings: Settings, database: Connection, proxy: Proxy, fault: str
) -> None:
    """All requests fail, from the beginning, the middle or the end of a run on: the next run repairs it."""
    store(database, *(call(f"c{number}", f"a{number % 2}") for number in range(4)))
    archive_now(local_settings)
    proxy.break_at("", 0)
    store(database, call("c0", "a0", cost_micros=1), call("count", "a1"))
    archive_now(local_settings)
    requests = proxy.seen
    assert requests > 8
    for at in (2, requests // 2, requests):
        store(database, call("c0", "a0", cost_micros=at), call(f"n{at}", "a1"))
        proxy.break_at(fault, at, for_ever=True)
        with pytest.raises(ArchiveError, match="nothing is lost"):
            archive_calls(local_settings, now=True)
        proxy.heal()
        archive_now(local_settings)
        assert archived(local_settings) == stored(database), f"{fault} at request {at}"
        assert waiting(database) == 0


@pytest.mark.parametrize("fault", ["cut", "lose", "503"])
def test_one_failed_request_is_tried_again(
    local_settings: Settings, database: Connection, proxy: Proxy, fault: str
) -> None:
    """The SDK's own retries are bounded and safe: no row is lost or duplicated, whether or not the run succeeds."""
    for at in (1, 3, 5, 8):
        store(database, call(f"c{at}", start_ts=START_MS + at))
        proxy.break_at(fault, at)
        try_run(local_settings)
        proxy.heal()
        archive_now(local_settings)
        assert archived(local_settings) == stored(database), f"{fault} at request {at}"


def test_a_storage_that_stalls_is_given_up(local_settings: Settings, database: Connection, proxy: Proxy) -> None:
    store(database, call("c1"))
    proxy.break_at("stall", 3, for_ever=True)
    with pytest.raises(ArchiveError, match="nothing is lost"):
        archive_calls(local_settings, now=True)
    proxy.heal()
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)


def test_a_compaction_whose_storage_fails_changes_nothing(
    local_settings: Settings, database: Connection, proxy: Proxy
) -> None:
    for number in range(3):
        store(database, call(f"c{number}", start_ts=START_MS - 100 * MS_PER_DAY + number))
        archive_now(local_settings)
    for at in (3, 12):
        proxy.break_at("cut", at, for_ever=True)
        with pytest.raises(ArchiveError):
            compact_archive(local_settings)
        proxy.heal()
        assert archived(local_settings) == stored(database)
    assert compact_archive(local_settings).compacted.files_before == 3
    assert archived(local_settings) == stored(database)


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder with a short name: the path of a socket has 107 bytes, and pytest's own folders can have more."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        yield Path(folder)


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_run(
    local_settings: Settings,
    database: Connection,
    database_url: str,
    socket_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL commits the catalog's new pointer, and the connection breaks before its answer."""
    store(database, call("first"))
    archive_now(local_settings)
    server = conninfo_to_dict(database_url)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_folder / ".s.PGSQL.5432"))
    listener.listen()
    proxy = Proxy(f"{server['host']}/.s.PGSQL.{server.get('port', 5432)}", listener, requests=(b"COMMIT",))
    user, name = server.get("user", "postgres"), server["dbname"]
    monkeypatch.setenv(f"{PREFIX}URI", f"postgresql+psycopg://{user}@/{name}?host={socket_folder}")
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{local_settings.data_dir}/archive")
    store(database, call("c1"))
    proxy.break_at("lose", 1)
    with pytest.raises(ArchiveError, match="nothing is lost"):
        archive_calls(local_settings, now=True)
    assert proxy.seen == 1
    proxy.heal()
    assert archived(local_settings) == stored(database), "the commit stands"
    assert waiting(database) == 1
    assert archive_now(local_settings).endswith("1 batches found written by an earlier run")
    assert archived(local_settings) == stored(database)
    proxy.end()


def test_credentials_are_in_no_error_and_no_log(
    local_settings: Settings,
    database: Connection,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither wrong ones, nor right ones for a bucket that does not exist."""
    use_s3(monkeypatch, s3_server)
    store(database, call("c1"))
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    for name, value in (("S3__SECRET_ACCESS_KEY", "not-the-right-secret"), ("WAREHOUSE", "s3://no-such-bucket/x")):
        with monkeypatch.context() as wrong:
            wrong.setenv(f"{PREFIX}{name}", value)
            with pytest.raises(ArchiveError) as refused:
                archive_calls(local_settings, now=True)
            texts.append(str(refused.value))
    texts.append(caplog.text)
    for text in texts:
        assert s3_server.secret not in text
        assert "not-the-right-secret" not in text


def test_every_local_file_and_folder_is_fsynced_before_the_catalog_points_to_it(
    local_settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[Path] = set()
    fsync = os.fsync

    def watched(number: int) -> None:
        fsync(number)
        synced.add(Path(os.readlink(f"/proc/self/fd/{number}").removesuffix(".part")))

    monkeypatch.setattr(os, "fsync", watched)
    store(database, *(call(f"c{number}", f"a{number}") for number in range(5)))
    archive_now(local_settings)
    store(database, call("c1", "a1", cost_micros=9))
    archive_now(local_settings)
    warehouse = local_settings.data_dir / "archive"
    with open_catalog(local_settings) as catalog:
        assert catalog.table_exists(("tollbook", "calls"))
    there = {warehouse.parent, warehouse, *warehouse.rglob("*")}
    assert len([path for path in there if path.suffix == ".parquet"]) == 6
    assert there - synced == set()
