"""The database's password may hold any character, as a URL or as key=value; or the error says how to write it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.commands import Done, environment, run_here
from tests.databases import store
from tests.factories import call
from tests.password_server import password_server
from tollbook.database_url import connection_parameters
from tollbook.errors import SettingsError, StoreUnavailable
from tollbook.store.database import connect

ASCII = "".join(map(chr, range(32, 127)))
PASSWORDS = [
    *"@/:%?# &=+,;'\"\\[]{}|^~`$!*()<>",
    "p@ss:w/rd?#%20 x", "%41", " leading and trailing ", "12/ss", "/", "//@:", "müller", "пароль", "密码", "🔑",
    ASCII, "a" * 500,
]  # fmt: skip
# What a URL does not take as it is.
REFUSED = {"@", "/", "%", " ", "p@ss:w/rd?#%20 x", "%41", " leading and trailing ", "12/ss", "//@:", ASCII}


@pytest.fixture(scope="module")
def admin_url() -> Iterator[str]:
    """A server that asks for passwords."""
    # Not below pytest's folder, into which the server's user may not look.
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder, password_server(Path(folder)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE asked LOGIN")
            connection.execute("CREATE DATABASE asked OWNER asked")
        yield url


def set_password(admin_url: str, password: str) -> str:
    """Give the role a password; return the folder of the server's socket."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE asked PASSWORD {}").format(sql.Literal(password)))
        return connection.info.host


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_percent_encoded(admin_url: str, password: str) -> None:
    """And in libpq's own form, quoted as libpq wants it. Another password is refused."""
    host = set_password(admin_url, password)
    url = f"postgresql://asked:{quote(password, safe='')}@/asked?host={host}"
    for given in (url, make_conninfo(host=host, user="asked", dbname="asked", password=password)):
        with connect(given, name="test") as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("asked",)
    with pytest.raises(StoreUnavailable, match="password authentication failed"):
        connect(f"postgresql://asked:{quote(password, safe='')}x@/asked?host={host}", name="test")


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_as_it_is_works_or_is_explained(admin_url: str, password: str) -> None:
    """Written into the URL unencoded: it connects, or the error says how to write it, and never shows it."""
    host = set_password(admin_url, password)
    url = f"postgresql://asked:{password}@/asked?host={host}"
    said = ""
    try:
        with connect(url, name="test"):
            pass
    except (SettingsError, StoreUnavailable) as error:
        said = str(error)
    if said:
        assert "% is written as %25" in said
        assert len(password) < 3 or password not in said
    assert bool(said) == (password in REFUSED)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:a-secret/x@h/db", "postgresql://u:12/a-secret@h/db", "postgresql://u:/a-secret@h/db",
        "postgresql://u:a-secret@x@h/db", "postgresql://u:a-secret%@h/db", "postgresql://u:a-secret%zz@h/db",
        "host=h password=a secret", "host=h password='a-secret", "a-secret", "mysql://u:a-secret@h/db",
    ],
)  # fmt: skip
def test_a_url_that_would_be_misread_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="write postgresql://USER:PASSWORD@HOST:5432/DATABASE") as caught:
        connection_parameters(url, name="test")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("as_url", [True, False])
def test_every_command_takes_such_a_password(admin_url: str, tmp_path: Path, as_url: bool) -> None:
    """Also Alembic's, and the archive's catalog, which read URLs of their own."""
    password = ASCII + "müller🔑"
    host = set_password(admin_url, password)
    database = f"asked_{as_url}".lower()
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database} OWNER asked")
    url = f"postgresql://asked:{quote(password, safe='')}@/{database}?host={host}"
    settings = {
        "database_url": url if as_url else make_conninfo(host=host, user="asked", dbname=database, password=password),
        "data_dir": str(tmp_path / "data"),
    }

    def tollbook(*arguments: str) -> Done:
        done = run_here(arguments, environment(**settings), tmp_path)
        assert done.returncode == 0, done.stderr
        return done

    tollbook("db", "upgrade")
    with connect(url, name="test") as connection:
        store(connection, call("a"))
    tollbook("archive", "run", "--now")
    assert '"call_id":"a"' in tollbook("archive", "query", "--all").stdout.replace(" ", "")
