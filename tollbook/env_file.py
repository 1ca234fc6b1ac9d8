"""The file of settings, which every command reads: /etc/tollbook/tollbook.env, or the one that TOLLBOOK_ENV_FILE names.

Its syntax is that of systemd's EnvironmentFile=, which reads the same file for the services.
"""

import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from tollbook.errors import SettingsError
from tollbook.process import given_command

#: The setting that names another file. Set and empty: no file is read.
ENV_FILE: Final = "TOLLBOOK_ENV_FILE"
DEFAULT_ENV_FILE: Final = Path("/etc/tollbook/tollbook.env")

_DATABASE: Final = "TOLLBOOK_DATABASE_URL"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_ENDS: Final = "\n\r"
_BLANKS: Final = " \t\n\r"
# An odd number of backslashes: two are one that stands for itself.
_UNENDED = re.compile(r"\s*[#;](?:.*[^\\])?(?:\\\\)*\\")
# What a backslash in double quotes takes its meaning from; before all else it stands for itself.
_ESCAPED_IN_QUOTES: Final = '"\\`$'


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """One NAME=VALUE of the file; `text[start:end]` is how it is written, without the end of its line."""

    name: str
    value: str
    start: int
    end: int


def load_env_file(environ: MutableMapping[str, str]) -> None:
    """Add what the file sets to an environment, whose own values go before the file's.

    All of it, as systemd does: pyiceberg and the S3 client have settings of their own. Does nothing where there is no
    file at the usual place, or where it may not be read and the environment names the database: systemd has read it
    for us then. Raises SettingsError for any other file that cannot be read.
    """
    named = environ.get(ENV_FILE)
    if named == "":
        return
    path = DEFAULT_ENV_FILE if named is None else Path(named)
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        if named is None and (isinstance(error, FileNotFoundError) or _DATABASE in environ):
            return
        raise SettingsError(_unreadable(path, error, named=named is not None)) from None
    for assignment in assignments(text):
        if assignment.name != ENV_FILE:
            environ.setdefault(assignment.name, assignment.value)


def read_by_commands() -> Path | None:
    """Return the file that commands read, whether or not it is there; None where TOLLBOOK_ENV_FILE is empty."""
    named = os.environ.get(ENV_FILE)
    return DEFAULT_ENV_FILE if named is None else Path(named) if named else None


def unended_comments(text: str) -> list[int]:
    """Return the numbers of the lines, from 1, that are a comment to us and to systemd go on in the next line.

    systemd before 254 (Debian 12 has 252) takes a backslash at the end of a comment as one at the end of a value.
    """
    lines = text.splitlines()
    return [number for number, line in enumerate(lines, 1) if _UNENDED.fullmatch(line)]


def _unreadable(path: Path, error: OSError | UnicodeDecodeError, *, named: bool) -> str:
    which = f"{ENV_FILE}={path}" if named else f"the settings in {path}"
    if isinstance(error, UnicodeDecodeError):
        return f"{which} cannot be read: it is not UTF-8 text: save it as UTF-8"
    if isinstance(error, PermissionError):
        return (
            f"{which} cannot be read by this user, for it holds passwords: as root run `{given_command()}`, or here"
            f" `sudo {given_command()}`"
        )
    return f"{which} cannot be read: {error.strerror}: correct the path"


class _State(Enum):
    BEFORE_NAME = auto()
    NAME = auto()
    BEFORE_VALUE = auto()
    VALUE = auto()
    ESCAPE = auto()
    SINGLE = auto()
    DOUBLE = auto()
    DOUBLE_ESCAPE = auto()
    COMMENT = auto()


def assignments(text: str) -> list[Assignment]:
    """Return the assignments of a file, in order, as systemd reads them.

    The states are those of its parser (src/basic/env-file.c). A quote counts at the beginning of a value alone, or
    right after another quote; nothing is expanded; a name that no variable can have is passed over. A comment ends
    with its line, as since systemd 254; `unended_comments` finds where that makes a difference. A service has the line
    after such a comment all the same, for it reads the file itself, unless the name is set further up, too.
    """
    found: list[Assignment] = []
    state = _State.BEFORE_NAME
    name, value, blanks, start = "", "", "", 0

    def end_at(end: int) -> None:
        if _NAME.fullmatch(name.rstrip()):
            found.append(Assignment(name=name.rstrip(), value=value, start=start, end=end))

    for place, character in enumerate(text):
        match state:
            case _State.BEFORE_NAME:
                if character in "#;":
                    state = _State.COMMENT
                elif character not in _BLANKS:
                    state, name, value, blanks, start = _State.NAME, character, "", "", place
            case _State.COMMENT:
                if character in _LINE_ENDS:
                    state = _State.BEFORE_NAME
            case _State.NAME:
                if character in _LINE_ENDS:
                    state = _State.BEFORE_NAME
                elif character == "=":
                    state = _State.BEFORE_VALUE
                else:
                    name += character
            case _State.BEFORE_VALUE | _State.VALUE if character in _LINE_ENDS:
                end_at(place)
                state = _State.BEFORE_NAME
            case _State.BEFORE_VALUE if character == "'":
                state = _State.SINGLE
            case _State.BEFORE_VALUE if character == '"':
                state = _State.DOUBLE
            case _State.BEFORE_VALUE | _State.VALUE if character == "\\":
                value, blanks, state = value + blanks, "", _State.ESCAPE
            case _State.BEFORE_VALUE:
                if character not in _BLANKS:
                    value, state = value + character, _State.VALUE
            case _State.VALUE:  # blanks count once more of the value follows
                if character in _BLANKS:
                    blanks += character
                else:
                    value, blanks = value + blanks + character, ""
            case _State.ESCAPE:
                value, state = value + (character if character not in _LINE_ENDS else ""), _State.VALUE
            case _State.SINGLE:
                if character == "'":
                    state = _State.BEFORE_VALUE
                else:
                    value += character
            case _State.DOUBLE:
                if character == '"':
                    state = _State.BEFORE_VALUE
                elif character == "\\":
                    state = _State.DOUBLE_ESCAPE
                else:
                    value += character
            case _:  # an escape in double quotes
                if character in _ESCAPED_IN_QUOTES:
                    value += character
                elif character != "\n":
                    value += f"\\{character}"
                state = _State.DOUBLE
    if state not in (_State.BEFORE_NAME, _State.NAME, _State.COMMENT):
        end_at(len(text))
    return found
