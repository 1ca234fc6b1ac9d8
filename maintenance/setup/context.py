"""What all steps of a setup share: what was said, the file of settings, and what is left to do."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from pydantic import ValidationError

from maintenance.setup.commands import Commands
from maintenance.setup.host import ServiceUser, acting_as
from maintenance.setup.questions import Questions
from maintenance.setup.settings_file import SettingsFile
from tollbook.config import Settings
from tollbook.errors import SettingsError
from tollbook.store.database import Connection, connect

PREFIX: Final = "TOLLBOOK_"
DATABASE_URL: Final = "TOLLBOOK_DATABASE_URL"
#: What is typed for nothing of a kind.
NONE: Final = "none"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# These hold passwords, in more than one syntax; so do names that are not ours, such as the keys of an S3 store.
_SECRET: Final = frozenset({DATABASE_URL, "TOLLBOOK_ESL"})


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was said on the command line; None: not said."""

    env_file: Path
    user: str | None
    data_dir: str | None
    database_url: str | None
    admin_database_url: str | None
    database: str
    role: str
    reset_password: bool
    print_sql: bool
    esl: tuple[str, ...]
    cdr_dir: str | None
    settings: tuple[str, ...]
    deck: Path | None
    plan: str | None
    currency: str | None
    account: str | None
    account_name: str | None
    numbering: str | None
    operator_key: bool | None
    start: bool | None


@dataclass(frozen=True, kw_only=True)
class Context:
    """`later`: what is to be done that does not stop the setup. `keys`: new ones, to be shown once, at the end."""

    options: Options
    questions: Questions
    file: SettingsFile
    user: ServiceUser
    commands: Commands
    later: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])

    def say(self, text: str) -> None:
        """Print what was done or found."""
        click.echo(f"- {text}", err=self.options.print_sql)

    def set(self, name: str, value: str) -> None:
        """Set a setting, and say what it was before, if something else; no value of one that can hold a password."""
        before = self.file.value(name)
        if self.file.set(name, value) and before is not None and not self.file.is_new:
            secret = name in _SECRET or not name.startswith(PREFIX)
            self.say(f"{name} is changed" if secret else f"{name} was {before}, and is now {value}")

    @contextmanager
    def connected(self) -> Generator[Connection]:
        """Connect to the database of the settings, as the services do. Raises StoreUnavailable and SettingsError."""
        url = self.file.value(DATABASE_URL)
        if url is None:
            raise SettingsError(f"{DATABASE_URL} is not set in {self.file.path}")
        with acting_as(self.user):  # PostgreSQL may know a role on its socket by its user
            connection = connect(url, name="setup", autocommit=True)
        with connection:
            yield connection

    def write(self) -> None:
        """Write the file of settings. Raises SettingsError."""
        self.file.write(self.user.group)


def check_setting(name: str, value: str) -> Settings:
    """Return settings that have this one; raise SettingsError for a value that it cannot have."""
    try:
        return Settings(**{name.removeprefix(PREFIX).lower(): value})  # pyright: ignore[reportArgumentType] - validators take texts
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}: {problem}") from None
