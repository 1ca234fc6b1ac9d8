"""Whole commands: a line that `tollbook doctor` prints can be pasted into the shell in which it ran."""

import os
import pwd
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from maintenance.doctor.finding import Finding
from tollbook.database_url import connection_parameters
from tollbook.errors import SettingsError

#: A folder that is there while systemd is the first process: sd_booted(3).
SYSTEMD: Final = Path("/run/systemd/system")
_OF_SYSTEMD: Final = frozenset({"systemctl", "journalctl", "timedatectl"})
_OF_ROOT: Final = frozenset({*_OF_SYSTEMD, "chown", "install", "mount", "runuser", "dmesg", "ss"})
_LOOPBACK: Final = re.compile(r"localhost|127\.[0-9.]+|::1|")


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Who runs the doctor, and on what: so much has to stand before a command.

    `owner`: the user to whom the data directory belongs, where that is another one than ours. `program`: how our own
    command is called here. `env_file`: where the settings come from, if a file is named.
    """

    root: bool
    owner: str | None
    systemd: bool
    program: str = "tollbook"
    env_file: str | None = None

    @classmethod
    def here(cls, data_dir: Path) -> "Shell":
        """Return what is so in this process."""
        return cls(
            root=os.geteuid() == 0,
            owner=_other_owner(data_dir),
            systemd=SYSTEMD.is_dir(),
            program=_program(),
            env_file=os.environ.get("TOLLBOOK_ENV_FILE"),
        )

    def whole(self, command: str) -> str | None:
        """Return a command with all that it needs here; None for one of systemd's where systemd is not in charge."""
        word = command.partition(" ")[0]
        if word in _OF_SYSTEMD and not self.systemd:
            return None
        if word == "tollbook":
            return self._as_owner(command)
        return command if self.root or word not in _OF_ROOT else f"sudo {command}"

    def _as_owner(self, command: str) -> str:
        ours = shlex.quote(self.program) + command.removeprefix("tollbook")
        if self.env_file:
            # `env` where a user is changed: `runuser` runs no shell.
            named = f"TOLLBOOK_ENV_FILE={shlex.quote(self.env_file)} {ours}"
            ours = f"env {named}" if self.owner else named
        if not self.owner:
            return ours
        return f"{'' if self.root else 'sudo '}runuser -u {self.owner} -- {ours}"

    def complete(self, finding: Finding) -> Finding:
        """Return a finding with its commands as they are run here."""
        found = (self.whole(command) for command in finding.commands)
        return replace(finding, commands=tuple(command for command in found if command is not None))


def user_name(uid: int) -> str:
    """Return a user's name; its number for one that this machine does not know."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def as_administrator(url: str, statement: str) -> str:
    """Return the command with which an administrator of PostgreSQL runs a statement in the database of this URL."""
    try:
        parts: Mapping[str, str] = connection_parameters(url, name="doctor")
    except SettingsError:
        parts = {}
    host, port, database = (parts.get(name, default) for name, default in _DEFAULTS)
    where = f"--port={shlex.quote(port)} --dbname={shlex.quote(database)} --command={shlex.quote(statement)}"
    if host.startswith("/"):
        return f"runuser -u postgres -- psql --host={shlex.quote(host)} {where}"
    if _LOOPBACK.fullmatch(host):
        return f"runuser -u postgres -- psql {where}"
    return f"psql --host={shlex.quote(host)} --username=postgres {where}"


_DEFAULTS: Final = (("host", ""), ("port", "5432"), ("dbname", "tollbook"))


def _other_owner(data_dir: Path) -> str | None:
    try:
        uid = data_dir.stat().st_uid
    except OSError:
        return None
    try:
        return None if uid == os.geteuid() else pwd.getpwuid(uid).pw_name
    except KeyError:
        return None  # no user can be named; the check of the data directory reports it


def _program() -> str:
    """Return `tollbook` if a shell finds this program by that name, else where it is."""
    called = Path(sys.argv[0])
    found = shutil.which("tollbook")
    if called.name != "tollbook" or called == Path("tollbook") or (found and Path(found).resolve() == called.resolve()):
        return "tollbook"
    return str(called.absolute())
