"""HTTP as `tollbook serve` speaks it: bytes on a real socket, right ones and wrong ones."""

import contextlib
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_app.server.request_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES
from export_app.web.security_headers import SECURITY_HEADERS
from tests.api_server import TIMEOUT_S, ApiServer, serving
from tests.databases import NewDatabase
from tests.waiting import wait_until

CHUNKED = b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
HEALTHY = b'{"ok":true}'


@pytest.fixture(scope="module")
def served(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One `tollbook serve` for all of these."""
    log = tmp_path_factory.mktemp("serve") / "serve.log"
    with new_database() as url, serving(url, log) as server:
        yield server


@pytest.fixture
def client(served: ApiServer) -> Iterator[socket.socket]:
    """A connection."""
    with socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) as connected:
        yield connected


def response(client: socket.socket, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
    """Read one response: status, headers in lower case, body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = client.recv(1)
        assert part, head
        head += part
    first, *lines = head.decode().splitlines()[:-1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while has_body and len(body) < int(headers["content-length"]):
        body += client.recv(int(headers["content-length"]) - len(body))
    return int(first.split()[1]), headers, body


def ended(client: socket.socket) -> bool:
    """Whether the server has closed in order, and sent no more."""
    return client.recv(1) == b""


def test_keep_alive_and_no_server_header(client: socket.socket) -> None:
    """A connection serves one request after another, and no response names its server."""
    for _ in range(3):
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, body = response(client)
        assert (status, body) == (200, HEALTHY)
        assert "server" not in headers
        assert "connection" not in headers


@pytest.mark.parametrize(
    "request_line", [b"GET /healthz HTTP/1.0\r\n", b"GET /healthz HTTP/1.1\r\nConnection: close\r\n"]
)
def test_a_last_request_ends_the_connection(client: socket.socket, request_line: bytes) -> None:
    """HTTP/1.0, and `Connection: close`: one response, then the end."""
    client.sendall(request_line + b"\r\n")
    assert response(client)[2] == HEALTHY
    assert ended(client)


def test_pipelined_requests_are_answered_in_order(client: socket.socket) -> None:
    """Many requests in one packet, blank lines between them, get their responses in order."""
    paths = [f"/nothing/{number}" for number in range(20)]
    client.sendall(
        b"".join(f"GET {path} HTTP/1.1\r\n\r\n\r\n\r\n".encode() for path in ["/healthz", *paths, "/healthz"])
    )
    found = [response(client)[0] for _ in range(22)]
    assert found == [200, *[404] * 20, 200]


def test_head_has_the_headers_alone(client: socket.socket) -> None:
    """HEAD has the Content-Length of GET, and no body: the next response follows at once."""
    client.sendall(b"HEAD /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n")
    status, headers, _ = response(client, has_body=False)
    assert (status, headers["content-length"]) == (200, str(len(HEALTHY)))
    assert response(client)[2] == HEALTHY


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 5", b"hello"),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: x\r\n\r\n"),
        (b"Content-Length: %d" % MAX_BODY_BYTES, b"x" * MAX_BODY_BYTES),
    ],
    ids=["length", "chunks", "largest"],
)
def test_a_body_is_read_and_dropped(client: socket.socket, head: bytes, body: bytes) -> None:
    """No resource takes a body; one that comes does not disturb the next request."""
    client.sendall(b"GET /healthz HTTP/1.1\r\n" + head + b"\r\n\r\n" + body + b"GET /nothing HTTP/1.1\r\n\r\n")
    assert response(client)[::2] == (200, HEALTHY)
    assert response(client)[0] == 404


def test_expect_continue(client: socket.socket) -> None:
    """A client that asks first is told to go on; one without a body is answered at once."""
    client.sendall(b"GET /healthz HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert response(client, has_body=False)[0] == 100
    client.sendall(b"hello")
    assert response(client)[0] == 200
    client.sendall(b"GET /healthz HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
    assert response(client)[0] == 200


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\na: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, "request_header_fields_too_large"),
        (b"GET /" + b"x" * 1_000_000, 431, "request_header_fields_too_large"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, 413, "request_entity_too_large"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", 413, "request_entity_too_large"),
        (CHUNKED + b"1\r\nx\r\n" * 50_000, 413, "request_entity_too_large"),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nContent-Length: five\r\n\r\nhello", 400, "bad_request"),
        (CHUNKED + b"hello\r\n", 400, "bad_request"),
        (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n") + b"0\r\n\r\n", 400, "bad_request"),
        (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"),
        (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_is_no_request_is_refused(client: socket.socket, request_bytes: bytes, status: int, code: str) -> None:
    """The refusal is JSON like every error, reaches even a client that goes on to send, and ends the connection."""
    client.sendall(request_bytes)
    found, headers, body = response(client)
    assert found == status
    assert (headers["content-type"], headers["connection"]) == ("application/json", "close")
    assert SECURITY_HEADERS.items() <= {name.title(): value for name, value in headers.items()}.items()
    answer = json.loads(body)
    assert (answer["ok"], answer["code"]) == (False, code)
    assert answer["message"]
    assert ended(client)


def test_a_content_length_that_lies_starts_no_other_request(client: socket.socket) -> None:
    """Less than the body: the rest is no request. More: the request never ends, and nothing of it is served."""
    client.sendall(b"GET /healthz HTTP/1.1\r\nContent-Length: 2\r\n\r\nhello\r\n\r\n")
    assert response(client)[0] == 200
    assert response(client)[0] == 400
    assert ended(client)


def test_the_log_has_a_line_for_each(served: ApiServer, client: socket.socket) -> None:
    """A path cannot end a line of the log, forge another one, or leave a key there."""
    forged = "%0A2026-01-01%20INFO%20tollbook.serve:%20GET%20path=/forged%20status=200%E2%80%A8%1B[2J/sk_" + "a" * 43
    client.sendall(f"GET /{forged} HTTP/1.1\r\n\r\n".encode())
    assert response(client)[0] == 404
    served.wait_for("/forged")
    (line,) = [line for line in served.output.splitlines() if "/forged" in line]
    assert "\x1b" not in line
    assert "aaa" not in line
    assert ' GET path="/\\x0a2026' in line
    assert re.search(r'" status=404 bytes=\d+ ms=\d+ client=127\.0\.0\.1$', line)


def test_no_more_files_closes_connections_only_as_long_as_that_lasts(new_database: NewDatabase, tmp_path: Path) -> None:
    """Where the system allows few files, some connections are closed; once it allows more, as many as before stay."""
    with new_database() as url, serving(url, tmp_path / "serve.log") as server, contextlib.ExitStack() as stack:

        def allow(files: int) -> None:
            limit = ["prlimit", f"--pid={server.process.pid}", f"--nofile={files}:"]
            subprocess.run(limit, check=True, timeout=TIMEOUT_S)

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S))

        allow(80)
        for _ in range(100):
            connect()
        server.wait_for("no more files for us")
        wait_until(lambda: server.get("/readyz")[0].status == 200, TIMEOUT_S)
        stack.pop_all().close()
        allow(1024)
        many = [connect() for _ in range(100)]
        for client in many:
            client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert {response(client)[0] for client in many} == {200}
