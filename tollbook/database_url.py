"""The URL of PostgreSQL, as libpq's parameters: for our own connections, and for the archive's catalog."""

import os
import pwd
from collections.abc import Mapping
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from tollbook.data_owner import SERVICE_USER
from tollbook.errors import SettingsError
from tollbook.process import given_command

# A database that does not answer fails within seconds. One that vanished without closing the connection is noticed in
# half a minute, not in two hours.
CONNECT_TIMEOUT_S: Final = 10
_PATIENCE: Final = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


_HOW_TO_WRITE: Final = (
    "write postgresql://USER:PASSWORD@HOST:5432/DATABASE, where in USER and PASSWORD % is written as %25, @ as %40,"
    " / as %2F, : as %3A, ? as %3F, # as %23 and a space as %20; or write host=HOST dbname=DATABASE user=USER"
    " password='PASSWORD', where only ' and \\ are written as \\' and \\\\"
)


def check_database_url(url: str) -> None:
    """Raise a ValueError that says how to write it for a URL that libpq does not understand.

    Or whose password libpq would take for a host, a port or a database, and so print: the message quotes nothing.
    """
    _parts(url)


def _parts(url: str) -> dict[str, str]:
    is_url = url.startswith(("postgresql://", "postgres://"))
    try:
        parts = {part: str(value) for part, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:
        parts = {"port": "none"}
    ports = parts.get("port", "5432").split(",")
    # libpq ends a password at its first @, and at a / all that goes before the database, which then has the @ in it. It
    # passes over a space.
    place, _, rest = url.partition("://")[2].partition("/")
    misread = is_url and (place.count("@") > 1 or " " in place or "@" in rest.partition("?")[0])
    if misread or "@" in parts.get("host", "") or not all(not port or port.isdecimal() for port in ports):
        raise ValueError(_HOW_TO_WRITE) from None  # the driver's error quotes the URL, and so the password
    return parts


def connection_parameters(url: str, *, name: str) -> dict[str, str]:
    """Return what libpq is to connect with: the parts of a URL, our time limits, and the name that PostgreSQL shows.

    A URL, or libpq's `key=value` form. No `options` of ours, which PgBouncer refuses. Raises SettingsError as
    `check_database_url` raises ValueError.
    """
    try:
        parts = _parts(url)
    except ValueError as error:
        raise SettingsError(f"TOLLBOOK_DATABASE_URL cannot be read: {error}") from None
    if "," in parts.get("host", "") + parts.get("hostaddr", ""):
        # Of several hosts, the one that takes writes: a standby that is named first would refuse them for ever.
        parts.setdefault("target_session_attrs", "read-write")
    return parts | _PATIENCE | {"application_name": f"tollbook {name}"}


def how_to_be_the_role(parameters: Mapping[str, str]) -> str:
    """Return what to run where PostgreSQL may want the role's own user of this machine, and we are another; else "".

    By its socket, without a password, it takes who we are from the kernel (`peer`). Commands that only use the database
    stay root, because they also read and write files where root may: `rates import`, `account export`.
    """
    if not parameters.get("host", "/").startswith("/") or "password" in parameters or "PGPASSWORD" in os.environ:
        return ""
    role = parameters.get("user", SERVICE_USER)
    try:
        if pwd.getpwnam(role).pw_uid == os.geteuid():
            return ""
    except KeyError:
        return ""
    command = f"runuser -u {role} -- {given_command()}"
    return f"; where it knows its roles as users of this machine (peer), as root run `{command}`"
