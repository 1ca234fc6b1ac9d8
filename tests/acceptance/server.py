"""A PostgreSQL that the tests stop, hang and bring back."""

import itertools
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg

from tests.databases import binary, on_server
from tollbook.embedded import embedded_postgres


class Server:
    """A PostgreSQL that goes away and comes back at the same address. `settings` are PostgreSQL's, as NAME=VALUE."""

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        self.folder = folder
        self._settings = settings
        self._running: AbstractContextManager[str] | None = None
        self._numbers = itertools.count()
        self.url = f"postgresql://postgres@/postgres?host={folder / 'address'}"

    def start(self) -> None:
        if self._running is None:
            self._running = embedded_postgres(self.folder, fsync=False, settings=self._settings)
            url = self._running.__enter__()
            # Each start puts its socket in another folder.
            (self.folder / "address").unlink(missing_ok=True)
            (self.folder / "address").symlink_to(url.partition("host=")[2])

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def crash(self) -> None:
        """Stop at once, as `pg_ctl -m immediate` does: no checkpoint, no goodbye to clients."""
        self.signal(signal.SIGQUIT)
        self.stop()

    def take_over(self, primary: "Server") -> None:
        """Start with everything that another, stopped server committed, as its standby would."""
        # With its owner, who is another user than us when we are root.
        subprocess.run(["cp", "-a", primary.folder / "postgresql", self.folder], check=True)
        self.start()

    def copy_and_follow(self, primary: "Server") -> None:
        """Start as the standby of a running server, and follow it."""
        cluster = self.folder / "postgresql"
        command = [binary("pg_basebackup"), "-h", primary.folder / "address", "-U", "postgres", "-D", cluster, "-R"]
        subprocess.run([*command, "--checkpoint=fast"], check=True, timeout=60)
        owner = (primary.folder / "postgresql").stat()  # another user than us when we are root
        subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", cluster], check=True)
        self.start()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def of_listener(self) -> list[int]:
        """Return the processes that serve the listener. Any may end at once: it connects anew after an error."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tollbook listen'")
            return [pid for (pid,) in found]

    @property
    def pid(self) -> int:
        """The process that accepts connections."""
        return int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])

    def execute(self, command: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(command)

    def fresh_database(self) -> str:
        """Yield the URL of a new, empty, migrated database."""
        name = f"fresh_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        return self[name]

    def __getitem__(self, database: str) -> str:
        return on_server(self.url, database)
