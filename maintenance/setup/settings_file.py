"""The file of settings, as `tollbook setup` changes it: only the lines that must change, and all at once."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tollbook.env_file import Assignment, assignments
from tollbook.errors import SettingsError

# Of root, and for the group of the services: they read it, and cannot change it.
_MODE_FOR_SERVICES: Final = 0o640
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o755

#: What the example has where a value must be filled in.
PLACEHOLDER: Final = "CHANGE-ME"

_HEADER: Final = "# Settings of Tollbook. It holds passwords: keep it readable for the services alone.\n"


class SettingsFile:
    """The file at `path`, whose text is kept in memory until `write`. One that is missing begins as the example."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises SettingsError when it cannot be read."""
        self.path = path
        self.is_new = not path.exists()
        try:
            self._text = _example() if self.is_new else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SettingsError(f"{path} cannot be read: {reason}: run this as root, or correct the file") from None
        self._before = self._text

    def value(self, name: str) -> str | None:
        """Return what a setting is; None if it is not set, empty, or still the example's."""
        values = [found.value for found in assignments(self._text) if found.name == name]
        return values[-1] if values and values[-1] and PLACEHOLDER not in values[-1] else None

    def values(self) -> dict[str, str]:
        """Return all that is set."""
        names = dict.fromkeys(found.name for found in assignments(self._text))
        return {name: value for name in names if (value := self.value(name)) is not None}

    def set(self, name: str, value: str) -> bool:
        """Set a setting; return whether that changed it."""
        if (self.value(name) or "") == value:
            return False
        self._text = with_setting(self._text, name, value)
        return True

    @property
    def changed(self) -> bool:
        """Whether anything is set otherwise than when the file was read."""
        return self._text != self._before

    def write(self, group: int | None) -> None:
        """Write the file whole, or leave it as it was: 0640 root:GROUP as root for a group, else 0600.

        What replaces it is on the disk before it does, so a crash leaves the old one or the new one. A link stays one.
        Raises SettingsError.
        """
        path = self._written_path()
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    if group is not None:
                        os.fchown(descriptor, 0, group)
                    os.fchmod(descriptor, _MODE if group is None else _MODE_FOR_SERVICES)
                    file.write(self._text)
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be written: {error.strerror}: run this as root, or choose another file with"
                " --env-file"
            ) from None

    def _written_path(self) -> Path:
        """Return the file that is replaced: of a link the one that it leads to, if that is this user's."""
        if not self.path.is_symlink():
            return self.path
        target = self.path.resolve()
        if not target.is_file() or target.stat().st_uid != os.geteuid():
            raise SettingsError(
                f"{self.path} is a link to {target}, which is not a file of this user, and is left alone: put the file"
                " itself in its place, or choose another one with --env-file"
            )
        return target


def with_setting(text: str, name: str, value: str) -> str:
    """Return the text of a file with a setting in it; all other lines stay as they are.

    In the place of the last line that sets it, which is the one that counts; else after the line where it stands as a
    comment; else at the end.
    """
    line = f"{name}={quoted(value)}"
    set_there: list[Assignment] = [found for found in assignments(text) if found.name == name]
    if set_there:
        last = set_there[-1]
        return text[: last.start] + line + text[last.end :]
    lines = text.split("\n")
    for number, found in enumerate(lines):
        if found.startswith(f"#{name}="):
            return "\n".join([*lines[:number], line, *lines[number + 1 :]])
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{line}\n"


def quoted(value: str) -> str:
    """Return a value as systemd, sh and Tollbook read it alike. Raises SettingsError for one with a line break."""
    if "\n" in value or "\r" in value or "\0" in value:
        raise SettingsError("a setting has one line: percent-encode a line break in a password as %0A")
    if "'" not in value:
        return f"'{value}'"
    escaped = "".join(f"\\{character}" if character in '"\\`$' else character for character in value)
    return f'"{escaped}"'


def _example() -> str:
    """Return the example of the installation, which explains every setting; a line where there is none."""
    for folder in (Path(sys.prefix) / "share" / "tollbook", Path(__file__).parents[2]):
        path = folder / "conf" / "tollbook.env.example"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return _HEADER
