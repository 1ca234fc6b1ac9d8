"""The driver's errors become ours, by SQLSTATE: what passes is tried again, what never will is not."""

import psycopg
import pytest

from tollbook.errors import DataError, Retryable, SchemaError, StoreUnavailable, TollbookError
from tollbook.store.database import connect, store_errors, translated


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", StoreUnavailable),  # connection failure
        ("53300", StoreUnavailable),  # too many connections
        ("57P01", StoreUnavailable),  # the administrator ends the connection
        ("57014", StoreUnavailable),  # statement timeout
        ("40P01", StoreUnavailable),  # deadlock
        ("40001", StoreUnavailable),  # serialisation
        ("58030", StoreUnavailable),  # I/O error
        ("55P03", StoreUnavailable),  # lock timeout
        ("25P03", StoreUnavailable),  # we paused too long in a transaction: the process stood still
        ("25P04", StoreUnavailable),  # transaction timeout
        ("25006", StoreUnavailable),  # read only: a standby during failover
        ("XX000", StoreUnavailable),  # internal error
        ("28P01", StoreUnavailable),  # wrong password
        ("3D000", StoreUnavailable),  # no such database
        ("42501", StoreUnavailable),  # no right
        ("42P01", SchemaError),  # no such table
        ("42703", SchemaError),  # no such column
        ("22003", DataError),  # out of range
        ("22021", DataError),  # not in the encoding
        ("23514", DataError),  # check violated, or no partition
        ("54000", DataError),  # an index row that is too long
    ],
)
def test_a_sqlstate_has_its_kind(state: str, kind: type[TollbookError]) -> None:
    error = psycopg.errors.lookup(state)("it says\n  why") if state != "XX000" else psycopg.InternalError("it says why")
    ours = translated(error)
    assert type(ours) is kind
    assert "it says why" in str(ours)
    assert isinstance(ours, Retryable) == (kind is StoreUnavailable)


def test_an_error_without_a_sqlstate_is_a_connection_that_broke() -> None:
    assert isinstance(translated(psycopg.OperationalError("the connection is lost")), StoreUnavailable)
    assert str(translated(psycopg.OperationalError())).endswith("OperationalError")


def test_a_value_that_the_driver_itself_refuses_is_bad_data() -> None:
    """psycopg refuses a NUL before PostgreSQL sees it, without a SQLSTATE: no retry will make it right."""
    assert isinstance(
        translated(psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")), DataError
    )


def test_text_that_is_no_text_is_bad_data() -> None:
    """A lone surrogate, as a command line of odd bytes gives one, cannot be encoded."""
    with pytest.raises(DataError, match="surrogates"), store_errors():
        "acct\udcff".encode()


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), store_errors():
        raise ZeroDivisionError


def test_a_closed_port_says_what_to_check() -> None:
    with pytest.raises(StoreUnavailable, match="is PostgreSQL up\\? check TOLLBOOK_DATABASE_URL"):
        connect("postgresql://someone:secret@127.0.0.1:1/db", name="test")
