"""The database and its two roles: made by an administrator's connection, or as SQL for whoever may."""

import contextlib
import os
import pwd
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from maintenance.setup.host import ServiceUser, acting_as
from tollbook.database_url import connection_parameters
from tollbook.errors import SettingsError, StoreUnavailable
from tollbook.store import row_security
from tollbook.store.database import Connection, store_errors

#: PostgreSQL's own administrator on this machine's socket, as Debian sets it up.
ADMIN_URL: Final = "postgresql:///postgres"
_ADMIN_USER: Final = "postgres"
_PASSWORD_BYTES: Final = 24
_OLDEST: Final = 150_000
_NAME_BYTES: Final = 63  # PostgreSQL cuts longer ones


@dataclass(frozen=True, kw_only=True)
class DatabasePlan:
    """What is to be there: a database that belongs to a role with a password."""

    database: str
    role: str
    password: str

    def __post_init__(self) -> None:
        """Check the names."""
        for name in (self.database, self.role):
            if not name or len(name.encode()) > _NAME_BYTES or "\0" in name:
                raise SettingsError(f"{name!r} is no name for a database or a role: write 1 to {_NAME_BYTES} bytes")


def new_password() -> str:
    """Return a password that needs no escaping anywhere."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def check_database(connection: Connection) -> str:
    """Return what we are connected to: PostgreSQL, its version, the database and the role.

    Raises SettingsError for a server that is too old or a database that cannot hold every letter.
    """
    info = connection.info
    if info.server_version < _OLDEST:
        raise SettingsError(f"this is PostgreSQL {info.server_version // 10_000}: Tollbook needs 15 or newer")
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SettingsError(
            f"the database {info.dbname} is kept in {encoding}: make one with CREATE DATABASE … ENCODING 'UTF8'"
            " TEMPLATE template0, or callers' names cannot be written"
        )
    return f"PostgreSQL {info.server_version // 10_000}, database {info.dbname}, role {info.user}"


def may_become_api(connection: Connection) -> bool:
    """Return whether the API's role is there, and this one may become it. Raises StoreUnavailable."""
    with store_errors():
        return _is_member(connection, connection.info.user)


def _is_member(connection: psycopg.Connection, role: str) -> bool:
    row = connection.execute(
        "SELECT coalesce((SELECT pg_has_role(%s, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s), false)",
        (role, row_security.ROLE),
    ).fetchone()
    return row is not None and bool(row[0])


def connect_admin(url: str) -> psycopg.Connection:
    """Connect as an administrator of PostgreSQL; as root, over a local socket, as its user `postgres`.

    Raises SettingsError and StoreUnavailable.
    """
    parameters = connection_parameters(url, name="setup")
    as_postgres = os.geteuid() == 0 and "user" not in parameters and not _over_network(parameters)
    try:
        with acting_as(_postgres()) if as_postgres else contextlib.nullcontext():
            connection = psycopg.connect(make_conninfo(**parameters), autocommit=True)
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        raise StoreUnavailable(
            f"{text}; name an administrator's connection with --admin-database-url"
            " (postgresql://postgres:PASSWORD@HOST/postgres), or have one run what --print-sql prints"
        ) from None
    row = connection.execute(
        "SELECT rolsuper OR rolcreaterole AND rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    if not (row.fetchone() or (False,))[0]:
        raise SettingsError(
            f"the role {connection.info.user} may not make databases and roles: name an administrator's connection with"
            " --admin-database-url, or have one run what --print-sql prints"
        )
    return connection


def service_url(admin: psycopg.Connection, admin_url: str, plan: DatabasePlan) -> str:
    """Return the URL at which the new role will connect: as the administrator does, or over loopback.

    Over the socket only where PostgreSQL listens nowhere else: there it usually asks for no password, but for the user
    of the same name.
    """
    parameters = conninfo_to_dict(admin_url)
    host, port = str(parameters.get("host") or ""), admin.info.port
    if _over_network(parameters):
        options = {name: str(parameters[name]) for name in ("sslmode", "sslrootcert", "hostaddr") if name in parameters}
    else:
        row = admin.execute("SELECT current_setting('listen_addresses')").fetchone()
        listens = row is not None and bool(row[0])
        host, options = ("127.0.0.1", {}) if listens else ("", {"host": admin.info.host})
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}" if host else ""
    role, password, name = (quote(text, safe="") for text in (plan.role, plan.password, plan.database))
    return f"postgresql://{role}:{password}@{place}/{name}{'?' if query else ''}{query}"


def make_database(admin: psycopg.Connection, plan: DatabasePlan, *, reset_password: bool) -> Iterator[str]:
    """Make what is missing, and yield what was made. Safe to repeat, and after a run that was ended half-way.

    A role that is there keeps its password, unless asked otherwise. Raises StoreUnavailable.
    """
    roles = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}
    databases = {name for (name,) in admin.execute("SELECT datname FROM pg_database")}
    statements = _statements(plan)
    try:
        if plan.role not in roles:
            admin.execute(statements["role"])
            yield f"role {plan.role} made"
        elif reset_password:
            admin.execute(statements["password"])
            yield f"role {plan.role} has a new password"
        if plan.database not in databases:
            if admin.info.parameter_status("is_superuser") != "on":  # else only a member can make its database
                admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(plan.role)))
            admin.execute(statements["database"])
            yield f"database {plan.database} made"
        if row_security.ROLE not in roles:
            admin.execute(statements["api role"])
            yield f"role {row_security.ROLE} made, which the API reads as"
        if not _is_member(admin, plan.role):
            admin.execute(statements["grant"])
            yield f"role {plan.role} may become {row_security.ROLE}"
    except psycopg.Error as error:
        raise StoreUnavailable(f"PostgreSQL refuses it: {' '.join(str(error).split())}") from None


def sql_for_administrator(plan: DatabasePlan) -> str:
    """Return what an administrator of PostgreSQL runs in psql, with the password as its hash."""
    names = ("role", "database", "api role", "grant")
    return "".join(f"{statement.as_string(None)};\n" for name, statement in _statements(plan).items() if name in names)


def _statements(plan: DatabasePlan) -> dict[str, sql.Composed]:
    role, database, api = (sql.Identifier(name) for name in (plan.role, plan.database, row_security.ROLE))
    verifier = sql.Literal(_scram(plan))
    return {
        "role": sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(role, verifier),
        "password": sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, verifier),
        # A server that was set up without a locale would make one that holds ASCII alone.
        "database": sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(database, role),
        "api role": sql.SQL("CREATE ROLE {} NOLOGIN").format(api),
        "grant": sql.SQL("GRANT {} TO {}").format(api, role),
    }


def _scram(plan: DatabasePlan) -> str:
    """Return the hash of the password, as PostgreSQL keeps it: the server's log, and whoever runs it, see no more."""
    unconnected = pq.PGconn.connect_start(b"host=/nonexistent")
    try:
        return unconnected.encrypt_password(plan.password.encode(), plan.role.encode(), b"scram-sha-256").decode()
    finally:
        unconnected.finish()


def _over_network(parameters: Mapping[str, object]) -> bool:
    host = str(parameters.get("host") or "")
    return bool(parameters.get("hostaddr")) or (bool(host) and not host.startswith(("/", "@")))


def _postgres() -> ServiceUser:
    try:
        found = pwd.getpwnam(_ADMIN_USER)
    except KeyError:
        raise SettingsError(
            f"there is no user {_ADMIN_USER} on this machine, and so no PostgreSQL: `apt install postgresql`, or name"
            " an administrator's connection with --admin-database-url"
        ) from None
    return ServiceUser(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir)
