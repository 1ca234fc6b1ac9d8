"""A connection to PostgreSQL that vanished without a word, as one that a firewall forgot: no client notices."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest
from psycopg import conninfo

import export_app.database
from export_app.database import Database
from export_app.share import waiting_room
from tollbook.model.accounts import OneAccount

_TRUSTED_S: Final = 0.05
_RESET_AT_ONCE: Final = struct.pack("ii", 1, 0)


class _Firewall:
    """A TCP address before PostgreSQL's socket, which answers with a reset what belongs to a connection it forgot."""

    def __init__(self, listening: socket.socket, path: str) -> None:
        self._listening, self._path = listening, path
        self._age = 0

    def forget(self) -> None:
        """Forget all connections. Their ends hear nothing of it until they send."""
        self._age += 1

    def accept(self) -> None:
        """Carry connections until the socket is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(client, self._age), daemon=True).start()

    def _carry(self, client: socket.socket, age: int) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._path)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if age != self._age:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
                        return
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)


@pytest.fixture
def behind(database_url: str) -> Iterator[tuple[_Firewall, Database]]:
    """A firewall, and the API's connections through it."""
    server = conninfo.conninfo_to_dict(database_url)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        firewall = _Firewall(listening, f"{server['host']}/.s.PGSQL.{server.get('port', 5432)}")
        threading.Thread(target=firewall.accept, daemon=True).start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        database = Database(
            f"postgresql://{server.get('user', 'postgres')}@{address}/{server['dbname']}", waiting_room()
        )
        database.open()
        try:
            yield firewall, database
        finally:
            database.close()
            listening.shutdown(socket.SHUT_RDWR)


def test_one_that_was_idle_for_a_while_is_replaced(
    behind: tuple[_Firewall, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_app.database, "_TRUSTED_S", _TRUSTED_S)
    firewall, database = behind
    with database.reading(OneAccount("acme")) as connection:
        backend = connection.info.backend_pid
    firewall.forget()
    time.sleep(2 * _TRUSTED_S)
    with database.reading(OneAccount("acme")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.info.backend_pid != backend
