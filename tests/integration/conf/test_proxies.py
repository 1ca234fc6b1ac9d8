"""The web servers of conf/ in front of a real `tollbook serve`: nginx and Caddy, whichever this machine has.

Neither is installed for the tests: a distribution's nginx starts with the machine, and takes its port 80.
"""

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Generator, Iterator
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.api_server import TIMEOUT_S, ApiServer, serving
from tests.commands import free_port
from tests.databases import store
from tests.factories import call
from tests.paths import ROOT
from tests.waiting import wait_until
from tollbook.config import Settings
from tollbook.store import keys
from tollbook.store.database import Connection

NGINX = ROOT / "conf" / "nginx" / "tollbook.conf"
CADDY = ROOT / "conf" / "caddy" / "Caddyfile"
DRIPPING = 64


def nginx_command(folder: Path, port: int, *apis: ApiServer) -> list[str | Path]:
    """nginx in the foreground with our file, but for TLS, port and addresses."""
    ours = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", NGINX.read_text(), flags=re.DOTALL)
    ours = re.sub(r" *ssl_certificate.*\n", "", ours).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    for api, line in zip(apis, ("server 127.0.0.1:8080;", "#server 192.0.2.32:8080;"), strict=False):
        assert line in ours
        ours = ours.replace(line, f"server 127.0.0.1:{api.port};")
    paths = "".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder / 'pid'}; error_log stderr; events {{}}http {{ access_log off; {paths} {ours} }}"
    )
    return ["nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]


def caddy_command(folder: Path, port: int, *apis: ApiServer) -> list[str | Path]:
    """Caddy in the foreground with our file, but for TLS, port and addresses."""
    ours = CADDY.read_text().replace("calls.example.com {", f"http://127.0.0.1:{port} {{")
    ours = ours.replace("127.0.0.1:8080", " ".join(f"127.0.0.1:{api.port}" for api in apis))
    ours = ours.replace("{\n\tservers", "{\n\tadmin off\n\tservers", 1)
    if len(apis) > 1:
        ours = re.sub("#(lb_|health_)", r"\1", ours)
    (folder / "Caddyfile").write_text(ours)
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


PROGRAMS = {"nginx": nginx_command, "caddy": caddy_command}


@contextlib.contextmanager
def in_front(program: str, folder: Path, *apis: ApiServer) -> Generator[int]:
    """Run a web server in front of the API, or of several; yield its port."""
    port = free_port()
    name, *arguments = PROGRAMS[program](folder, port, *apis)
    command = [shutil.which(name) or name, *arguments]
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    try:

        def listens() -> bool:
            assert process.poll() is None, (folder / f"{program}.log").read_text()
            with socket.socket() as trying:
                return trying.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, TIMEOUT_S)
        yield port
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """Ask the web server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def connections(port: int) -> int:
    """How many connections to a port of this machine are established."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    """A `tollbook serve` that trusts the web server."""
    with serving(database_url, tmp_path / "serve.log", trusted_proxies="127.0.0.1") as server:
        yield server


def test_the_files_pass_on_to_where_the_api_listens() -> None:
    """Both name TOLLBOOK_API_BIND's default, and the setting without which all clients count as one."""
    for file in (NGINX, CADDY):
        assert str(Settings().api_bind) in file.read_text()
        assert "TOLLBOOK_TRUSTED_PROXIES=127.0.0.1" in file.read_text()


def test_slow_clients_are_the_web_server_s_to_wait_for(served: ApiServer, database: Connection, tmp_path: Path) -> None:
    """Half requests never reach Tollbook; an id with slashes does; the client's own X-Forwarded-For does not."""
    store(database, call("a/b//c d"))
    secret = keys.create(database, account_id=None, scopes=["operator"], networks=[ip_network("127.0.0.1/32")])[1]
    database.commit()
    for program in filter(shutil.which, PROGRAMS):
        folder = tmp_path / program
        folder.mkdir()
        with in_front(program, folder, served) as port, contextlib.ExitStack() as stack:
            for number in range(DRIPPING):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
                head = f"POST /v1/whoami HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n"
                client.sendall(head.encode() + (b"\r\nx" if number % 2 else b""))
            assert get(port, "/healthz") == (200, b'{"ok":true}')
            status, found = get(port, "/v1/calls/a%2Fb%2F%2Fc%20d", x_api_key=secret, x_forwarded_for="192.0.2.7")
            assert status == 200, (program, found)
            assert b'"call_id":"a/b//c d"' in found
            assert connections(served.port) < DRIPPING / 4, program


def test_one_api_of_two_may_stop(served: ApiServer, database_url: str, tmp_path: Path) -> None:
    """While both run each gets requests; when one is gone, none fails."""
    for program in filter(shutil.which, PROGRAMS):
        folder = tmp_path / program
        folder.mkdir()
        with (
            serving(database_url, folder / "other.log", trusted_proxies="127.0.0.1") as other,
            in_front(program, folder, served, other) as port,
        ):
            both = [get(port, "/readyz")[0] for _ in range(20)]
            assert "/readyz" in served.output
            assert "/readyz" in other.output
            other.stop()
            one = [get(port, "/readyz")[0] for _ in range(20)]
        assert both + one == [200] * 40, program
