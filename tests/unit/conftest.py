"""No input and no output in unit tests, recordings excepted: what needs a file or a server is in tests/integration."""

import socket
import subprocess

import pytest


@pytest.fixture(autouse=True)
def only_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse folders, databases, processes and connections."""
    given = {"tmp_path", "tmp_path_factory", "postgres_url", "start"} & set(request.fixturenames)
    assert not given, f"{given} are for tests/integration"

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a unit test starts no process and connects to nothing")

    for kind, name in ((subprocess.Popen, "__init__"), (socket.socket, "connect"), (socket.socket, "bind")):
        monkeypatch.setattr(kind, name, refuse)
