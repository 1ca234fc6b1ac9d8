"""The URL of PostgreSQL, as libpq's parameters: for our own connections, and for the archive's catalog."""

from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from tollbook.errors import SettingsError

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


def connection_parameters(url: str, *, name: str) -> dict[str, str]:
    """Return what libpq is to connect with: the parts of a URL, our time limits, and the name that PostgreSQL shows.

    No `options` of ours, which PgBouncer refuses. Raises SettingsError for a URL that libpq does not understand, or
    whose password it would take for a host or a port, and so print.
    """
    try:
        parts = {part: str(value) for part, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:
        parts = {"port": "none"}
    ports = parts.get("port", "5432").split(",")
    if "@" in parts.get("host", "") or not all(not port or port.isdecimal() for port in ports):
        raise SettingsError(
            "TOLLBOOK_DATABASE_URL cannot be read: write postgresql://USER:PASSWORD@HOST:5432/DATABASE,"
            " with @ : / ? # % in the password as %40 %3A %2F %3F %23 %25"
        ) from None  # the driver's error quotes the URL, and so the password
    if "," in parts.get("host", "") + parts.get("hostaddr", ""):
        # Of several hosts, the one that takes writes: a standby that is named first would refuse them for ever.
        parts.setdefault("target_session_attrs", "read-write")
    return parts | _PATIENCE | {"application_name": f"tollbook {name}"}
