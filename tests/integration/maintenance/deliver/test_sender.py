"""One POST to an allowed address, in a bounded time; hostile URLs get nothing."""

import asyncio
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from maintenance.deliver.http_sender import NO_NAME_SERVER, NOWHERE, HttpSender
from maintenance.deliver.outcome import Outcome
from maintenance.deliver.resolver import THREADS_EACH
from tests.receivers import Receiver, counted_connections, receiving, silent_port
from tests.unit.maintenance.deliver.given import delivery, endpoint
from tollbook.model.endpoints import Network

LOOPBACK = (ip_network("127.0.0.0/8"),)


def send(
    url: str, allowed: tuple[Network, ...] = (), timeout_s: float = 5.0, secret: str = "whsec_c2VjcmV0"
) -> Outcome:
    async def run() -> Outcome:
        sender = HttpSender(allowed, timeout_s)
        try:
            return await sender.send(endpoint(url=url, secret=secret), delivery(), b"{}")
        finally:
            await sender.close()

    return asyncio.run(run())


@contextmanager
def answering(data: bytes, *, drips: bytes = b"", hangs: bool = False) -> Iterator[str]:
    """A receiver that answers with these bytes, then drips others for ever, hangs, or closes; yield its URL."""
    stop = threading.Event()

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(data)
            while (drips or hangs) and not stop.wait(0.02):
                try:
                    connection.sendall(drips)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        thread = threading.Thread(target=answer, args=(server,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            stop.set()
            thread.join(5)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.255.255.1",
        "169.254.169.254", "100.64.0.1", "192.168.0.1", "[fd00::1]", "[fe80::1]",
    ],
)  # fmt: skip
def test_hostile_urls_get_nothing(host: str) -> None:
    """However an address is written, no connection is made, and none is waited for."""
    with counted_connections() as (port, connected):
        begun_s = time.monotonic()
        for scheme in ("https", "http"):
            assert send(f"{scheme}://{host}:{port}/").error
        assert time.monotonic() - begun_s < 4
        time.sleep(0.1)  # for a connection to be accepted
        assert connected == []


def test_a_name_counts_for_the_address_that_it_has_when_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose address was public when the endpoint was made, and is one of ours by now: rebinding."""
    real = socket.getaddrinfo

    def rebound(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == "rebound.example" else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with counted_connections() as (port, connected):
        # An account could ask for the names and addresses of our network: one text, whether there is the name or not.
        assert send(f"https://rebound.example:{port}/").error == NOWHERE
        assert send(f"https://nobody.invalid:{port}/").error in (NOWHERE, NO_NAME_SERVER)
        time.sleep(0.1)
        assert connected == []
    with receiving() as receiver:  # and the name is what the receiver is told
        assert send(f"http://rebound.example:{receiver.port}/", LOOPBACK).error == ""
        assert receiver.received[0].headers["host"] == f"rebound.example:{receiver.port}"


def test_names_that_no_server_answers_for_delay_no_other_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup blocks a thread for longer than anybody waits for it."""
    real, looked_up, answers = socket.getaddrinfo, Counter[str](), threading.Event()

    def slow(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        looked_up[str(host)] += 1
        if "dead" in str(host):
            answers.wait(10)
        return real("127.0.0.1", port, *args, **kwargs)

    async def run(url: str) -> None:
        sender = HttpSender(LOOPBACK, 0.5)
        try:
            dead = [
                endpoint(number, url=url.replace("127.0.0.1", f"dead{number}.example"))
                for number in range(THREADS_EACH)
            ]
            dead *= 70 // len(dead)
            outcomes = await asyncio.gather(*(sender.send(one, delivery(), b"{}") for one in dead))
            assert {outcome.error for outcome in outcomes} == {"no answer in time"}
            assert looked_up.total() == THREADS_EACH
            for account, alive, error in (("beta", "beta.example", ""), ("acme", "acme.example", "no answer in time")):
                other = endpoint(99, account_id=account, url=url.replace("127.0.0.1", alive))
                assert (await sender.send(other, delivery(), b"{}")).error == error
            answers.set()  # and the account has its threads again
            assert (await sender.send(dead[0], delivery(), b"{}")).error == ""
        finally:
            answers.set()
            await sender.close()

    with receiving() as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        asyncio.run(run(receiver.url))


def test_a_redirect_is_not_followed() -> None:
    """Also not to an allowed address."""
    with receiving() as other, receiving(Receiver(headers={}, answer=lambda received: 302)) as receiver:
        receiver.headers["Location"] = other.url
        assert "HTTP 302, a redirect" in send(receiver.url, LOOPBACK).error
        assert (len(receiver.received), other.received) == (1, [])


def test_http_goes_to_listed_addresses_alone() -> None:
    assert send("http://192.0.2.1:80/", LOOPBACK).error == NOWHERE
    with receiving() as receiver:
        assert send(receiver.url, LOOPBACK).error == ""
        receiver.verify("whsec_c2VjcmV0")


def certificate(folder: Path, address: str) -> Path:
    """A certificate for an address, signed by itself, with its key."""
    made = folder / f"{address}.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}", "-keyout", made, "-out", folder / "crt",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    made.write_bytes(made.read_bytes() + (folder / "crt").read_bytes())
    return made


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom they are signed, and for whom."""
    for address, taken in (("127.0.0.1", True), ("127.0.0.2", False)):
        made = certificate(tmp_path, address)
        with receiving(Receiver(certificate=made)) as receiver:
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            assert "certificate verify failed" in send(receiver.url, LOOPBACK).error
            monkeypatch.setenv("SSL_CERT_FILE", str(made))
            error = send(receiver.url, LOOPBACK).error
            assert (error == "") is taken, error
            assert len(receiver.received) == taken


def test_the_time_is_bounded_as_a_whole() -> None:
    """A receiver that says nothing, and one that drips its answer."""
    with silent_port() as port:
        begun_s = time.monotonic()
        assert send(f"http://127.0.0.1:{port}/", LOOPBACK, timeout_s=0.5).error == "no answer in time"
        assert time.monotonic() - begun_s < 2
    for drips in (b"y", b"HTTP/1.1 100 Continue\r\n\r\n"):
        with answering(b"HTTP/1.1 200 OK\r\nx: " if drips == b"y" else b"", drips=drips) as url:
            begun_s = time.monotonic()
            assert send(url, LOOPBACK, timeout_s=0.5).error == "no answer in time"
            assert time.monotonic() - begun_s < 2


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: 10\r\n\r\n",
        b"content-length: 10\r\n\r\nabc",
        b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
    ],
)
def test_a_status_is_an_answer_whatever_its_body_is(body: bytes) -> None:
    """One that does not come, is cut off, or is not what it says: 2xx was said, and the event is not sent again."""
    for hangs in (False, True):
        with answering(b"HTTP/1.1 200 OK\r\n" + body, hangs=hangs) as url:
            begun_s = time.monotonic()
            assert send(url, LOOPBACK).error == ""
            assert time.monotonic() - begun_s < 2


def test_an_endless_answer_is_not_read() -> None:
    """Its status says all: 100 MB are left where they are."""
    with receiving(Receiver(answer=lambda received: 200, body=b"x" * 100_000_000)) as receiver:
        begun_s = time.monotonic()
        assert send(receiver.url, LOOPBACK).error == ""
        assert time.monotonic() - begun_s < 3
        time.sleep(0.2)  # in which it would have been sent
        assert receiver.answered == 0


@pytest.mark.parametrize(("status", "gone"), [(400, False), (404, False), (410, True), (500, False), (503, False)])
def test_any_other_answer_than_2xx_is_a_failure(status: int, gone: bool) -> None:
    with receiving(Receiver(answer=lambda received: status)) as receiver:
        outcome = send(receiver.url, LOOPBACK)
        assert (outcome.error, outcome.gone) == (f"HTTP {status}", gone)


def test_a_receiver_that_is_away_or_speaks_no_http_is_a_failure() -> None:
    with counted_connections() as (port, connected):
        assert send(f"http://127.0.0.1:{port}/", LOOPBACK).error
        assert len(connected) >= 1
    with answering(b"SSH-2.0-OpenSSH_9.2\r\n") as url:  # whose words are not for an account
        assert send(url, LOOPBACK).error == "the answer is no HTTP"
    assert send(f"http://127.0.0.1:{port}/", LOOPBACK).error == "no connection: ECONNREFUSED"
    assert send(f"HTTPS://127.0.0.1:{port}/", LOOPBACK).error == "no connection: ECONNREFUSED"
