"""A real PgBouncer before a database, in either mode."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.commands import free_port
from tests.waiting import wait_until

Mode: TypeAlias = Literal["session", "transaction"]

# Fewer sessions than a program of ours has connections, and taken in turn: in transaction mode no two transactions of a
# connection follow each other in one session.
SHARED = 6
_PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"  # where Debian has it, outside an ordinary user's PATH


@contextmanager
def pgbouncer(url: str, folder: Path, mode: Mode) -> Generator[str]:
    """Run Debian's PgBouncer before the database of a URL; yield the URL of that database through it."""
    server, port = conninfo_to_dict(url), free_port()
    settings = {
        "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "trust",
        "auth_file": str(folder / "users"), "pool_mode": mode, "server_round_robin": 1, "max_client_conn": 500,
        "default_pool_size": SHARED if mode == "transaction" else 100,
    }  # fmt: skip
    if os.geteuid() == 0:
        settings["user"] = "nobody"  # it refuses to run as root
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "users").write_text(f'"{server["user"]}" ""\n')
    lines = [f"{name} = {value}" for name, value in settings.items()]
    lines += ["[databases]", f"* = host={server['host']} port={server.get('port', 5432)}"]
    (folder / "pgbouncer.ini").write_text("\n".join(["[pgbouncer]", *lines, ""]))
    log = folder / "log"
    through = f"postgresql://{server['user']}@127.0.0.1:{port}/{server['dbname']}"
    with log.open("wb") as out:
        process = subprocess.Popen([_PROGRAM, folder / "pgbouncer.ini"], stdout=out, stderr=out)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            psycopg.connect(through, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers, what=log.read_text)
        yield through
    finally:
        process.terminate()
        process.wait(30)


def left_in_sessions(through: str, names: tuple[str, ...]) -> set[tuple[object, ...]]:
    """Return what settings of these names, prepared statements and locks our programs have left in the sessions."""
    held = [psycopg.connect(through, prepare_threshold=None) for _ in range(SHARED)]
    try:
        found: set[tuple[object, ...]] = set()
        for connection in held:  # each in a transaction, and so each in a session of its own
            shown = [
                connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()[0] for name in names
            ]
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_locks"
                " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database()))"
            ).fetchone()
            found.add((*shown, *counts))
        return found
    finally:
        for connection in held:
            connection.close()
