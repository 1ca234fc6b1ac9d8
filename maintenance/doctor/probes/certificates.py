"""The certificates that the settings name: files for PostgreSQL, and servers that are connected to over TLS."""

import os
import shlex
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from maintenance.doctor.finding import Finding, warn
from maintenance.doctor.rules import certificates as rules
from maintenance.doctor.run import CheckGroup
from tollbook.archive.configured import configured_properties
from tollbook.config import Settings
from tollbook.database_url import connection_parameters
from tollbook.errors import SettingsError

# Less than the doctor waits for a group's first finding.
TIMEOUT_S: Final = 3.0

_HTTPS: Final = 443
_POSTGRESQL: Final = 5432
# pyiceberg's settings that are addresses: the catalog, its logins, the object storage.
_ADDRESSES: Final = ("uri", "oauth2-server-uri", "s3.endpoint")
# libpq's, and the variables with which it can be given elsewhere.
_FILES: Final = {"sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT"}
# "SSLRequest" of PostgreSQL's protocol: its length, and a number that no version has. 'S' agrees to TLS.
_SSL_REQUEST: Final = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that is connected to over TLS. `postgresql`: it is asked for TLS in PostgreSQL's way first.

    `authorities`: the file with the certificates that it may be signed by; None: this machine's.
    """

    host: str
    port: int
    postgresql: bool = False
    authorities: str | None = None

    def __str__(self) -> str:
        """Return it for a finding."""
        return f"{self.host}:{self.port}"

    @property
    def command(self) -> str:
        """Return the command that shows when its certificate ends."""
        start = " -starttls postgres" if self.postgresql else ""
        host = shlex.quote(self.host)
        asked = f"openssl s_client -connect {shlex.quote(str(self))} -servername {host}{start}"
        return f"{asked} </dev/null 2>/dev/null | openssl x509 -noout -enddate -subject"


def groups_for(settings: Settings) -> list[CheckGroup]:
    """Return a group for each certificate: one server that is silent delays no other."""
    parameters = _libpq(settings)
    files = [Path(parameters[name]) for name in _FILES if parameters.get(name, "system") != "system"]
    return [
        *(CheckGroup(name=f"certificate {file}", findings=lambda file=file: check_file(file)) for file in files),
        *(
            CheckGroup(name=f"certificate {server}", findings=lambda server=server: check_server(server))
            for server in dict.fromkeys(_servers(settings, parameters))
        ),
    ]


def check_server(server: Server) -> Iterator[Finding]:
    """Yield the verdict on a server's certificate, verified as a client of it would."""
    what = str(server)
    context = ssl.create_default_context(cafile=server.authorities)
    try:
        with socket.create_connection((server.host, server.port), timeout=TIMEOUT_S) as plain:
            if server.postgresql:
                plain.sendall(_SSL_REQUEST)
                if plain.recv(1) != b"S":
                    raise OSError("does not speak TLS")
            with context.wrap_socket(plain, server_hostname=server.host) as connection:
                ends = (connection.getpeercert() or {}).get("notAfter")
        yield rules.certificate(what, ssl.cert_time_to_seconds(str(ends)), time.time(), server.command)
    except ssl.SSLCertVerificationError as error:
        yield rules.unverified(what, f"is refused: {error.verify_message}", server.command)
    except OSError as error:
        problem = f"did not answer within {TIMEOUT_S:.0f} s" if isinstance(error, TimeoutError) else str(error)
        yield warn(f"certificate {what}", f"not looked at: {problem}", "see whether it can be reached", server.command)


def check_file(path: Path) -> Iterator[Finding]:
    """Yield the verdict on the first certificate of a file. Python itself reads only those of authorities."""
    shown = f"openssl x509 -noout -enddate -subject -in {shlex.quote(str(path))}"
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(path)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, found as the operator's shell finds it
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        ends_s = ssl.cert_time_to_seconds(done.stdout.strip().removeprefix("notAfter="))
    except subprocess.CalledProcessError as error:
        problem = " ".join(error.stderr.split()[:12])
        yield rules.unverified(str(path), f"cannot be read: {problem}", shown)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        yield warn(f"certificate {path}", f"not looked at: {error}", "install openssl, which reads it", shown)
    else:
        yield rules.certificate(str(path), ends_s, time.time(), shown)


def _libpq(settings: Settings) -> Mapping[str, str]:
    """Return what libpq connects with; nothing where the URL is missing or wrong, which is a finding of its own."""
    if settings.database_url is None:
        return {}
    try:
        parameters = connection_parameters(settings.database_url.get_secret_value(), name="doctor")
    except SettingsError:
        return {}
    named = {name: os.environ[variable] for name, variable in _FILES.items() if variable in os.environ}
    return named | parameters


def _servers(settings: Settings, libpq: Mapping[str, str]) -> Iterator[Server]:
    if libpq.get("sslmode") in ("verify-ca", "verify-full"):  # else its end stops nobody
        authorities = libpq.get("sslrootcert", "system")
        for host, port in _database_hosts(libpq):
            cafile = None if authorities == "system" else authorities
            yield Server(host=host, port=port, postgresql=True, authorities=cafile)
    properties = configured_properties()
    urls = [str(properties.get(name, "")) for name in _ADDRESSES] + [settings.recordings_url or ""]
    for url in map(urlsplit, urls):
        if url.scheme == "https" and url.hostname:
            yield Server(host=url.hostname, port=url.port or _HTTPS)
    engine = urlsplit(settings.engine.get_secret_value() if settings.engine else "")
    if engine.hostname and "use_ssl=true" in engine.path.lower():
        yield Server(host=engine.hostname, port=engine.port or _HTTPS)


def _database_hosts(libpq: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the hosts of a URL, of which there may be several, with their ports; a local socket has no TLS."""
    hosts, ports = libpq.get("host", "localhost").split(","), libpq.get("port", "").split(",")
    for number, host in enumerate(hosts):
        if not host.startswith("/"):
            port = ports[number] if len(ports) == len(hosts) else ports[0]
            yield host, int(port or _POSTGRESQL)
