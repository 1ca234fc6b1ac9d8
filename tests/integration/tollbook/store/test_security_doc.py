"""The SQL of docs/security.md is all that Tollbook needs of a server, and what the page says of the roles is so."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from maintenance.setup.database import DatabasePlan, sql_for_administrator
from tests.acceptance.server import Server
from tests.databases import store
from tests.factories import call
from tests.paths import ROOT
from tollbook.model.accounts import OneAccount
from tollbook.store import row_security
from tollbook.store.database import connect
from tollbook.store.schema import upgrade

_DOCUMENT = (ROOT / "docs" / "security.md").read_text()
_SQL = re.findall(r"^```sql\n(.*?)^```$", _DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without roles of ours: roles are the server's, so that of the tests has them already."""
    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


def test_the_setup_says_the_same() -> None:
    """But for the password, which it prints as its hash, and the quotes around names."""
    plan = DatabasePlan(database="tollbook", role="tollbook", password="secret")
    printed = re.sub(r"'SCRAM-SHA-256\$[^']*'", "'…'", sql_for_administrator(plan))
    assert [printed.replace('"', "")] == _SQL


def test_the_roles_are_enough_and_have_no_more(server: Server) -> None:
    """The role makes the schema and may make nothing else; as tollbook_api it sees one account."""
    (script,) = _SQL
    (against_others,) = re.findall(r"`(REVOKE [^`]+)`", _DOCUMENT)
    for statement in (*script.split(";\n"), against_others):
        if statement.strip():
            server.execute(statement)
    url = server["tollbook"].replace("postgres@", "tollbook@")
    upgrade(url)
    with connect(url, name="test", autocommit=True) as connection:
        row_security.check(connection)
        store(connection, call("ours", "acme"), call("theirs", "beta"))
        with row_security.reading(connection, OneAccount("acme")):
            assert connection.execute("SELECT call_id FROM call_cdr").fetchall() == [("ours",)]
        may = "SELECT has_table_privilege('tollbook_api', 'call_cdr', %s)"
        assert [connection.execute(may, (right,)).fetchone() for right in ("SELECT", "UPDATE")] == [(True,), (False,)]
        for refused in ("CREATE DATABASE other", "CREATE ROLE other", "SELECT pg_read_file('/etc/passwd')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)
    server.execute("CREATE ROLE stranger LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url.replace("tollbook@", "stranger@"))
