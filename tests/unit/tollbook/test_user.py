"""Who gives a command is written down even where the system has no name for the user."""

import os
import socket

import pytest

from tollbook.user import user_at_host


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, a uid without an entry in passwd ended a re-rate, a hold and an erasure in a traceback."""
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert user_at_host() == f"uid 4000000@{socket.gethostname()}"


def test_a_user_has_the_name_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "alice")
    assert user_at_host() == f"alice@{socket.gethostname()}"


def test_sudo_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sudo tollbook account erase` is alice's doing, not root's, nor that of the user that it runs as."""
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert user_at_host() == f"alice@{socket.gethostname()}"
