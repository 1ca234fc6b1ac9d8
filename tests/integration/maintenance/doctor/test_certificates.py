"""`tollbook doctor` reads the ends of the certificates that the settings name, from files and from real TLS servers."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from maintenance.doctor.finding import Finding, Status
from maintenance.doctor.probes import certificates
from maintenance.doctor.run import run_groups
from tests.integration.maintenance.conftest import PREFIX
from tollbook.config import load_settings


def made(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate of `localhost` that ends so many days from now, and its key."""
    folder.mkdir()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@contextmanager
def tls_server(certificate: Path, key: Path, *, postgresql: bool = False) -> Generator[int]:
    """A server on loopback that shakes hands with everybody; yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with suppress(OSError), connection:
                    if postgresql:
                        assert connection.recv(8)[4:] == (80877103).to_bytes(4, "big")
                        connection.sendall(b"S")
                    context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that this machine sets is seen here."""
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("TOLLBOOK_DATABASE_URL", raising=False)


def found() -> dict[str, Finding]:
    return {finding.check: finding for finding in run_groups(certificates.groups_for(load_settings()))[0]}


def test_a_server_whose_certificate_ends_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the object storage, the catalog, the recordings; one that is not trusted says so, as its client would."""
    certificate, key = made(tmp_path / "soon", days=10)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_server(certificate, key) as storage, tls_server(*made(tmp_path / "strange", days=900)) as strange:
        monkeypatch.setenv(f"{PREFIX}S3__ENDPOINT", f"https://localhost:{storage}")
        monkeypatch.setenv(f"{PREFIX}URI", "http://localhost:1")
        monkeypatch.setenv("TOLLBOOK_RECORDINGS_URL", f"https://localhost:{strange}/{{path}}")
        shown = found()
    assert list(shown) == [f"certificate localhost:{storage}", f"certificate localhost:{strange}"]
    soon, refused = shown.values()
    assert (soon.status, refused.status) == (Status.WARN, Status.FAIL)
    assert soon.found.endswith("in 10 days")
    assert refused.found.startswith("is refused: self-signed certificate")


def test_the_command_of_a_finding_shows_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it is printed, in a shell."""
    certificate, key = made(tmp_path / "soon", days=10)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_server(certificate, key) as storage:
        monkeypatch.setenv(f"{PREFIX}S3__ENDPOINT", f"https://localhost:{storage}")
        (soon,) = found().values()
        done = subprocess.run(["bash", "-c", *soon.commands], capture_output=True, text=True, timeout=20, check=True)
    assert "notAfter=" in done.stdout


def test_postgresql_s_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server's, where the URL wants it verified, and the files that the URL names."""
    certificate, key = made(tmp_path / "server", days=2)
    client, _ = made(tmp_path / "client", days=15)
    with tls_server(certificate, key, postgresql=True) as port:
        url = f"postgresql://t:x@localhost:{port}/calls?sslrootcert={certificate}&sslcert={client}&sslmode="
        monkeypatch.setenv("TOLLBOOK_DATABASE_URL", f"{url}verify-full")
        shown = found()
        assert {check: finding.status for check, finding in shown.items()} == {
            f"certificate {certificate}": Status.FAIL,
            f"certificate {client}": Status.WARN,
            f"certificate localhost:{port}": Status.FAIL,
        }
        assert shown[f"certificate {client}"].found.endswith("in 15 days")
        monkeypatch.setenv("TOLLBOOK_DATABASE_URL", f"{url}require")
        assert list(found()) == [f"certificate {certificate}", f"certificate {client}"]


def test_what_is_no_certificate_or_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that holds something else, one that is missing, a server that does not answer."""
    (tmp_path / "text").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv(f"{PREFIX}S3__ENDPOINT", f"https://localhost:{port}")
        monkeypatch.setenv(
            "TOLLBOOK_DATABASE_URL",
            f"postgresql://t:x@localhost:1/calls?sslrootcert={tmp_path / 'text'}&sslcert={tmp_path / 'missing'}",
        )
        shown = found()
    assert shown[f"certificate {tmp_path / 'text'}"].found.startswith("cannot be read:")
    assert "missing" in shown[f"certificate {tmp_path / 'missing'}"].found
    assert shown[f"certificate localhost:{port}"].found == "not looked at: did not answer within 3 s"
