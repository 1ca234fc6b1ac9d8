"""The installed command as a real process, with real signals."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from tollbook.embedded import embedded_postgres
from tollbook.store.schema import upgrade

TOLLBOOK = Path(sys.executable).with_name("tollbook")


class Running:
    """A `tollbook` process; its output goes to a file, so that it never waits for a reader."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [TOLLBOOK, *arguments], env=environment, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        """Wait until the process has said `text`."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"{text!r} not said within {timeout_s} s:\n{self.output}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal, wait for the end, and give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """SIGTERM, and an end in order."""
        assert self.stop() == 0, self.output
        assert "Traceback" not in self.output


Start = Callable[..., Running]


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start `tollbook ARGUMENTS` on the test's database; whatever still runs at the end is killed."""
    started: list[Running] = []

    def begin(*arguments: str, **settings: str) -> Running:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOLLBOOK_")}
        environment |= {"TOLLBOOK_DATABASE_URL": database_url, "TOLLBOOK_DATA_DIR": str(tmp_path / "data")}
        environment |= {f"TOLLBOOK_{key.upper()}": value for key, value in settings.items()}
        running = Running(list(arguments), environment, tmp_path / f"{arguments[0]}-{len(started)}.log")
        started.append(running)
        return running

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait(10)


class Server:
    """A PostgreSQL that goes away and comes back at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: AbstractContextManager[str] | None = None
        self._numbers = itertools.count()
        self.url = f"postgresql://postgres@/postgres?host={folder / 'address'}"

    def start(self) -> None:
        if self._running is None:
            self._running = embedded_postgres(self.folder, fsync=False)
            url = self._running.__enter__()
            # Each start has its socket in another folder.
            (self.folder / "address").unlink(missing_ok=True)
            (self.folder / "address").symlink_to(url.partition("host=")[2])

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def crash(self) -> None:
        """What `pg_ctl -m immediate` does: no checkpoint, no goodbye."""
        self.signal(signal.SIGQUIT)
        self.stop()

    def take_over(self, primary: "Server") -> None:
        """Start with all that another server, which has stopped, has committed: what its standby would have."""
        # As it is: with its owner, who under root is another than us.
        subprocess.run(["cp", "-a", primary.folder / "postgresql", self.folder], check=True)
        self.start()

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def processes(self) -> list[int]:
        """The process that takes connections, and the one that serves the listener's writer."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tollbook listen'")
            return [self._pid, *(pid for (pid,) in found)]

    @property
    def _pid(self) -> int:
        return int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])

    def execute(self, command: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(command)

    def fresh_database(self) -> str:
        """The URL of a new, empty, migrated database."""
        name = f"fresh_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        return self[name]

    def __getitem__(self, database: str) -> str:
        return self.url.replace("@/postgres?", f"@/{database}?")


@pytest.fixture
def standby() -> Iterator[Server]:
    """A server that is not there before it takes over from another."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server of these tests' own: what they do to it is no other test's trouble."""
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
    own_server.start()
    return own_server


class Metrics:
    """What a listener tells Prometheus."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.bind = f"127.0.0.1:{free.getsockname()[1]}"

    def __getitem__(self, name: str) -> float:
        with urlopen(f"http://{self.bind}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        match = re.search(rf"^tollbook_{name} (\S+)$", text, re.MULTILINE)
        assert match, f"{name} is not in {text}"
        return float(match[1])

    def wait_until(self, name: str, holds: Callable[[float], bool], timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds(value := self[name]):
            assert time.monotonic() < deadline, f"tollbook_{name} is {value} after {timeout_s} s"
            time.sleep(0.05)

    def wait_until_spooled(self) -> None:
        """Wait until all that was sent has been read, and is on the disk."""
        events, deadline = -1.0, time.monotonic() + 60
        while self["legs_waiting"] or events != self["events_total"]:
            assert time.monotonic() < deadline, "still not spooled after 60 s"
            events = self["events_total"]
            time.sleep(0.3)

    def wait_until_written(self, timeout_s: float = 30.0) -> None:
        """Wait until nothing waits, in memory or on the disk."""
        self.wait_until("spool_bytes", lambda value: value == 0, timeout_s)
        self.wait_until("legs_waiting", lambda value: value == 0)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of the listener that is started with `metrics_bind=metrics.bind`."""
    return Metrics()
