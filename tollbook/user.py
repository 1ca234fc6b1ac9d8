"""Who gives a command: what receipts, holds and re-rates keep of the person."""

import getpass
import os
import socket


def user_at_host() -> str:
    """Return `alice@db1`, also where alice uses sudo; `uid 1000@db1` for a user without a name, as in a container."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"
