"""A snapshot that breaks says what broke it."""

import pytest

from tollbook.errors import StoreUnavailable
from tollbook.store import row_security
from tollbook.store.database import Connection, connect


@pytest.mark.parametrize("autocommit", [True, False])
def test_what_broke_it_is_the_error_that_is_raised(database: Connection, database_url: str, autocommit: bool) -> None:
    """Also of a connection that is not in autocommit, as that of `tollbook explain`."""
    with connect(database_url, name="explain", autocommit=autocommit) as connection:

        def read() -> None:
            with row_security.snapshot(connection):
                database.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
                database.commit()
                connection.execute("SELECT 1")

        with pytest.raises(StoreUnavailable, match="terminating connection"):
            read()
