"""A PostgreSQL that asks everybody but its administrator for a password; the tests' own asks nobody."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tollbook.embedded import embedded_postgres

RULES = "local all postgres trust\nlocal all all scram-sha-256\n"


@contextmanager
def password_server(folder: Path) -> Generator[str]:
    """Run one below `folder`, and yield its administrator's URL."""
    with embedded_postgres(folder, fsync=False) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT current_setting('hba_file')").fetchone()
            assert row is not None
            Path(row[0]).write_text(RULES)
            connection.execute("SELECT pg_reload_conf()")
        yield url
