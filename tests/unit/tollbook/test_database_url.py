"""What is said when PostgreSQL takes the role from the user of this machine."""

import pwd
import sys

import pytest

from tollbook.database_url import connection_parameters, how_to_be_the_role
from tollbook.process import given_command


def hint(url: str) -> str:
    return how_to_be_the_role(connection_parameters(url, name="test"))


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, who gave the command `tollbook key list`."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/tollbook", "key", "list"])
    monkeypatch.delenv("PGPASSWORD", raising=False)


@pytest.mark.parametrize("url", ["postgresql://daemon@/tollbook", "host=/run/postgresql user=daemon"])
def test_another_user_of_a_local_socket_is_told_whom_to_be(url: str) -> None:
    """By the role of the URL, whose name is that of a user here."""
    assert f"as root run `runuser -u daemon -- {given_command()}`" in hint(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://daemon@127.0.0.1/tollbook",
        "postgresql://daemon:secret@/tollbook",
        "postgresql://nobody-here@/tollbook",
        f"postgresql://{pwd.getpwuid(0).pw_name}@/tollbook",
    ],
)
def test_nothing_is_said_where_being_another_user_would_not_help(url: str) -> None:
    """Over the network, with a password, as a role that is no user here, and as the user that we are."""
    assert hint(url) == ""
