"""Our own commands, which do what `tollbook setup` has no work of its own for, and show an operator how it is done."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from maintenance.setup.host import ServiceUser
from tollbook.env_file import ENV_FILE
from tollbook.errors import SettingsError, TollbookError
from tollbook.process import own_command

# `db upgrade` of a large database takes minutes, and a deck of a million rates one.
_TIMEOUT_S: Final = 3600.0


class Commands:
    """Runs `tollbook` commands as the user of the services, with the settings of one file, and prints each first."""

    def __init__(self, env_file: Path, user: ServiceUser) -> None:
        self._user = user
        # What this shell has set would go before the file, and the services would not see it.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOLLBOOK_", "PYICEBERG_"))}
        self._environment: Mapping[str, str] = kept | {ENV_FILE: str(env_file), "HOME": user.home}

    def run(self, *arguments: str) -> str:
        """Run a command and return what it printed. Raises TollbookError with its own message."""
        click.echo(f"  tollbook {shlex.join(arguments)}")
        done = self._done(arguments, capture=True)
        if done.returncode:
            raise TollbookError(f"`tollbook {shlex.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def show(self, *arguments: str) -> int:
        """Run a command that prints for itself; return its exit code."""
        return self._done(arguments, capture=False).returncode

    def _done(self, arguments: tuple[str, ...], *, capture: bool) -> "subprocess.CompletedProcess[str]":
        become = os.geteuid() == 0 and self._user.uid != 0
        try:
            return subprocess.run(  # noqa: S603 - our own command, no shell
                own_command(arguments),
                env=self._environment,
                cwd="/",
                user=self._user.uid if become else None,
                group=self._user.gid if become else None,
                extra_groups=os.getgrouplist(self._user.name, self._user.gid) if become else None,
                stdin=subprocess.DEVNULL,
                capture_output=capture,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except PermissionError:
            raise SettingsError(
                f"{self._user.name} may not run {own_command(())[0]}: install Tollbook in a folder that others may"
                " enter, such as /opt/tollbook"
            ) from None
