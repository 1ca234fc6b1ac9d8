"""A command is whole: it has the user, the program and the file of settings that it needs where it is pasted."""

import pytest

from maintenance.doctor.commands import Shell, as_administrator
from maintenance.doctor.finding import ok, warn

ROOT = Shell(root=True, owner="tollbook", systemd=True)
OWNER = Shell(root=False, owner=None, systemd=True)
OTHER = Shell(root=False, owner="tollbook", systemd=True)
CONTAINER = Shell(root=True, owner=None, systemd=False)
FILE = Shell(root=True, owner="tollbook", systemd=True, program="/opt/a b/tollbook", env_file="/etc/my env")


@pytest.mark.parametrize(
    ("shell", "command", "whole"),
    [
        (ROOT, "tollbook prune", "runuser -u tollbook -- tollbook prune"),
        (OWNER, "tollbook prune", "tollbook prune"),
        (OTHER, "tollbook prune", "sudo runuser -u tollbook -- tollbook prune"),
        (CONTAINER, "tollbook prune", "tollbook prune"),
        (ROOT, "systemctl restart tollbook-api", "systemctl restart tollbook-api"),
        (OTHER, "systemctl restart tollbook-api", "sudo systemctl restart tollbook-api"),
        (CONTAINER, "systemctl restart tollbook-api", None),
        (CONTAINER, "journalctl -u tollbook-api", None),
        (OWNER, "df -h /d", "df -h /d"),
        (OWNER, "chown -R tollbook: /d", "sudo chown -R tollbook: /d"),
        (
            FILE,
            "tollbook prune",
            "runuser -u tollbook -- env TOLLBOOK_ENV_FILE='/etc/my env' '/opt/a b/tollbook' prune",
        ),
    ],
)
def test_a_command_is_run_as_whom_it_needs(shell: Shell, command: str, whole: str | None) -> None:
    """Ours as the owner of the data directory, systemd's and those of root as root."""
    assert shell.whole(command) == whole


def test_a_finding_keeps_the_commands_that_can_be_run() -> None:
    """In their order."""
    found = CONTAINER.complete(warn("a", "b", "c", "tollbook prune", "journalctl -u x", "df -h"))
    assert found.commands == ("tollbook prune", "df -h")
    assert CONTAINER.complete(ok("a", "b")) == ok("a", "b")


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (
            "postgresql://t:a-secret@127.0.0.1:5433/calls",
            "runuser -u postgres -- psql --port=5433 --dbname=calls --command='SELECT 1'",
        ),
        (
            "postgresql://t:a-secret@/calls?host=/run/pg",
            "runuser -u postgres -- psql --host=/run/pg --port=5432 --dbname=calls --command='SELECT 1'",
        ),
        (
            "postgresql://t:a-secret@db1/calls",
            "psql --host=db1 --username=postgres --port=5432 --dbname=calls --command='SELECT 1'",
        ),
        ("postgresql://t:a-secret/x@db1/calls", "runuser -u postgres -- psql --port=5432 --dbname=tollbook"),
    ],
)
def test_an_administrator_s_command_has_the_place_and_no_password(url: str, command: str) -> None:
    """On this machine as the user postgres, on another with whatever password its administrator has."""
    found = as_administrator(url, "SELECT 1")
    assert found.startswith(command)
    assert "a-secret" not in found
